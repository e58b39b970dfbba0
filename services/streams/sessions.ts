import { z } from 'zod';
import type { refusalReasons } from '../../shared/contracts/credentials.contract.ts';
import type { Call } from '../../shared/contracts/index.ts';
import { type Vault, VaultError } from '../../shared/runtime/vault.ts';
import { type CameraStream, deviceContext, type Feed, feedContext, sourceContext } from './streams.store.ts';

/** What a feed pulls, and what Google wants to hear to extend or stop the session. */
export interface Source {
  url: string;
  /** Stream extension token of RTSP, media session id of WebRTC; null where there is nothing to extend. */
  extension: string | null;
}

export interface Opened extends Source {
  /** ISO; null where it does not end, or nobody knows yet. */
  expiresAt: string | null;
}

export type Reason = (typeof refusalReasons)[number];

/** A camera that gives no picture, with what may be done about it. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly reason: Reason;
  /** Milliseconds before which it is not worth trying again. */
  readonly retryAfterMs: number;

  constructor(reason: Reason, message: string, retryAfterMs: number | null) {
    super(message);
    this.reason = reason;
    this.retryAfterMs = retryAfterMs ?? 0;
  }
}

/** `isUrgent`: a session that runs would end without it. */
type Waiting = <T>(ask: () => Promise<T>, about: { stream: CameraStream; isUrgent: boolean }) => Promise<T>;

const timestamp = z.iso.datetime({ offset: true });
const rtsp = z.object({
  streamUrls: z.object({
    rtspUrl: z
      .string()
      .max(4_096)
      .regex(/^rtsps?:\/\//),
  }),
  streamExtensionToken: z.string().max(4_096),
  expiresAt: timestamp,
});
const rtspExtended = z.object({
  streamExtensionToken: z.string().max(4_096),
  streamToken: z.string().max(4_096),
  expiresAt: timestamp,
});
const webrtc = z.object({
  answerSdp: z.string().max(65_536),
  mediaSessionId: z.string().max(4_096),
  expiresAt: timestamp,
});
const webrtcExtended = z.object({ mediaSessionId: z.string().max(4_096), expiresAt: timestamp });

const liveStream = (command: string) => `CameraLiveStream.${command}`;

/**
 * Sessions with cameras: a plain RTSP source has none; a Google device's are generated, extended and stopped.
 * Every method throws Refused, or a Failure where the credentials service does not answer.
 */
export class Sessions {
  readonly #call: Call;
  readonly #vault: Vault;
  readonly #waiting: Waiting;

  /** @param waiting what is done around each question to Google, which may take ten seconds */
  constructor(call: Call, vault: Vault, waiting: Waiting = (ask) => ask()) {
    this.#call = call;
    this.#vault = vault;
    this.#waiting = waiting;
  }

  /** Of `rtsp` and `google-rtsp`; a WebRTC session begins with the media server's offer. */
  async open(stream: CameraStream): Promise<Opened> {
    if (stream.sealedSource) {
      const url = this.#vault.open(stream.sealedSource, sourceContext(stream.id));
      return { url, extension: null, expiresAt: null };
    }
    const { streamUrls, streamExtensionToken, expiresAt } = await this.#google(stream, 'GenerateRtspStream', {}, rtsp);
    return { url: streamUrls.rtspUrl, extension: streamExtensionToken, expiresAt: utc(expiresAt) };
  }

  /** @returns the answer to the media server's offer, and the session */
  async offer(
    stream: CameraStream,
    offerSdp: string,
  ): Promise<{ answer: string; extension: string; expiresAt: string }> {
    const results = await this.#google(stream, 'GenerateWebRtcStream', { offerSdp }, webrtc);
    return { answer: results.answerSdp, extension: results.mediaSessionId, expiresAt: utc(results.expiresAt) };
  }

  async extend(stream: CameraStream, feed: Feed): Promise<Opened> {
    const source = this.source(stream, feed);
    if (!source?.extension) throw new Refused('session-lost', 'The session cannot be extended', null);
    if (feed.kind === 'google-webrtc') {
      const params = { mediaSessionId: source.extension };
      const { mediaSessionId, expiresAt } = await this.#google(stream, 'ExtendWebRtcStream', params, webrtcExtended);
      return { ...source, extension: mediaSessionId, expiresAt: utc(expiresAt) };
    }
    const params = { streamExtensionToken: source.extension };
    const extended = await this.#google(stream, 'ExtendRtspStream', params, rtspExtended);
    return {
      url: withToken(source.url, extended.streamToken),
      extension: extended.streamExtensionToken,
      expiresAt: utc(extended.expiresAt),
    };
  }

  /** Best effort: what is not stopped ends by itself within 5 minutes. */
  async close(stream: CameraStream, feed: Feed): Promise<void> {
    const extension = this.source(stream, feed)?.extension;
    if (!extension) return;
    const isWebRtc = feed.kind === 'google-webrtc';
    const params = isWebRtc ? { mediaSessionId: extension } : { streamExtensionToken: extension };
    await this.#google(stream, isWebRtc ? 'StopWebRtcStream' : 'StopRtspStream', params, z.unknown()).catch(() => {});
  }

  seal(stream: CameraStream, feed: string, { url, extension }: Source): string {
    return this.#vault.seal(JSON.stringify({ url, extension }), feedContext(stream.id, feed));
  }

  /** Null where there is none yet, or no key of this process opens it. */
  source(stream: Pick<CameraStream, 'id'>, feed: Pick<Feed, 'name' | 'sealed'>): Source | null {
    if (!feed.sealed) return null;
    try {
      return JSON.parse(this.#vault.open(feed.sealed, feedContext(stream.id, feed.name))) as Source;
    } catch (error) {
      if (error instanceof VaultError) return null;
      throw error;
    }
  }

  async #google<S extends z.ZodType>(
    stream: CameraStream,
    command: string,
    params: Record<string, unknown>,
    schema: S,
  ): Promise<z.output<S>> {
    const { id, credentialId, sealedDevice } = stream;
    if (!credentialId) throw new Refused('gone', 'The camera has no credentials', null);
    const device = this.#vault.open(sealedDevice, deviceContext(id));
    const payload = { device, command: liveStream(command), params };
    const answer = await this.#waiting(() => this.#call('credentials.command', { entity: credentialId, payload }), {
      stream,
      isUrgent: command.startsWith('Extend'),
    });
    if (!answer.ok) throw new Refused(answer.reason, answer.message, answer.retryAfterMs);
    const parsed = schema.safeParse(answer.results);
    if (!parsed.success) throw new Refused('unavailable', `Google's answer to ${command} is not as documented`, null);
    return parsed.data;
  }
}

const utc = (time: string): string => new Date(time).toISOString();

/** After an extension the URL goes on with the new token (Google: CameraLiveStream trait, ExtendRtspStream). */
function withToken(url: string, token: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set('auth', token);
  return parsed.href;
}
