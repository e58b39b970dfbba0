import { createHash, randomBytes } from 'node:crypto';
import type { Collection, Stored } from '../../shared/store/collection.ts';

/** Seconds within which a reader must begin. */
export const viewerTokenSeconds = 300;

/** Who may watch which camera; its id is the SHA-256 of the token, so that the store opens nothing. */
export interface ViewerToken extends Stored {
  viewer: string;
  /** Version the viewer's own tokens had, or that of a key; null where versions are not ours. */
  tokenVersion: number | null;
  camera: string;
  /** ISO. */
  expiresAt: string;
}

/**
 * Tokens of viewers are short random texts that stand for a record: FFmpeg cuts a user name and password in an RTSP URL
 * at 127 characters, and an SRT stream id holds 512, so nothing signed with claims in it would get through.
 */
export class ViewerTokens {
  readonly #tokens: Collection<ViewerToken>;

  constructor(tokens: Collection<ViewerToken>) {
    this.#tokens = tokens;
  }

  async make(
    claims: Pick<ViewerToken, 'viewer' | 'tokenVersion' | 'camera'>,
  ): Promise<{ token: string; expires: string }> {
    const token = randomBytes(24).toString('base64url');
    const expires = new Date(Date.now() + viewerTokenSeconds * 1_000).toISOString();
    await this.#tokens.insert({ ...claims, id: idOf(token), expiresAt: expires });
    return { token, expires };
  }

  /** Null for a text that is no token of ours, or one that has expired. */
  async read(token: string): Promise<ViewerToken | null> {
    const found = await this.#tokens.get(idOf(token));
    return found && found.expiresAt > new Date().toISOString() ? found : null;
  }

  async forgetExpired(): Promise<void> {
    await this.#tokens.deleteMany({ expiresAt: { $lt: new Date().toISOString() } });
  }
}

const idOf = (token: string): string => createHash('sha256').update(token).digest('hex');
