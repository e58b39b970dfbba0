import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { Failure } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import { type Vault, VaultError } from '../../shared/runtime/vault.ts';

/** Milliseconds between asking for the link and coming back from Google. */
const lifetime = 600_000;
const context = 'credentials/state';

const content = z.object({ id: z.string(), redirectUri: z.string(), nonce: z.string(), expires: z.number() });

export interface State {
  /** Of the credentials. */
  id: string;
  redirectUri: string;
}

/**
 * What is sent through the browser while a user agrees: sealed, so that only Trigate can have made it and nobody on the
 * way reads it; good once, for ten minutes.
 */
export function states(vault: Vault, bus: Pick<Bus, 'claim'>) {
  /** @throws Failure INVALID_REQUEST */
  function read(text: string): z.output<typeof content> {
    try {
      return content.parse(JSON.parse(vault.open(text, context)));
    } catch (error) {
      if (!(error instanceof VaultError || error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
      throw new Failure('INVALID_REQUEST', 'This answer of Google belongs to no link that was made here');
    }
  }

  return {
    make: (state: State): string =>
      vault.seal(JSON.stringify({ ...state, nonce: randomUUID(), expires: Date.now() + lifetime }), context),
    /**
     * Uses the state up. `origin`, where it is known, must be the one the link was made for.
     * @throws Failure INVALID_REQUEST; UNAVAILABLE where it cannot be known whether it was used
     */
    async use(text: string, origin?: string): Promise<State> {
      const { id, redirectUri, nonce, expires } = read(text);
      if (expires < Date.now()) throw new Failure('INVALID_REQUEST', 'This link is too old; ask for a new one');
      if (origin !== undefined && redirectUriOf(origin) !== redirectUri) {
        throw new Failure('INVALID_REQUEST', 'This link was made for another address');
      }
      const first = await bus.claim(`google state ${nonce}`, lifetime).catch((cause: unknown) => {
        throw new Failure('UNAVAILABLE', 'Whether this link was used cannot be known now', { retryAfter: 1, cause });
      });
      if (!first) throw new Failure('INVALID_REQUEST', 'This link was used already; ask for a new one');
      return { id, redirectUri };
    },
  };
}

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Google sends nobody back over plain HTTP, except to the machine the browser runs on. */
export function redirectUriOf(origin: string): string {
  const url = new URL(origin);
  if (!loopback.has(url.hostname)) url.protocol = 'https:';
  return `${url.origin}/credentials/authorize`;
}

/** What a client of NestMTX sends as the entity of `read`; more keys may come. */
const redirected = z.object({
  state: z.string().max(2_048),
  code: z.string().max(2_048),
  origin: z.url().max(2_048).optional(),
});

/**
 * The JSON behind the base64 of what Google redirected back with; null where the text is something else, an id. Clients
 * put plain base64 into a path, so that a `+` may have become a space.
 * @throws Failure INVALID_REQUEST where it is such JSON, but lacks what is needed
 */
export function redirectIn(text: string): z.output<typeof redirected> | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text.replaceAll(' ', '+'), 'base64').toString('utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const parsed = redirected.safeParse(value);
  if (!parsed.success) throw new Failure('INVALID_REQUEST', 'entity: state, code and origin of the answer are needed');
  return parsed.data;
}
