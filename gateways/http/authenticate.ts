import type { IncomingMessage } from 'node:http';
import { Failure } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import type { Config } from '../../shared/runtime/config.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { clientAddress } from '../core/address.ts';
import type { Authenticator } from '../core/dispatch.types.ts';
import { readBody } from './body.ts';
import type { Guesses } from './guesses.ts';
import { assertSigned, assertTimely, nonceLifetimeMs, readSignature, type Signature } from './signature.rules.ts';

/**
 * Who sent a request: what its signature was made with, else `Authorization: Bearer`, else `X-API-Key`, else nobody.
 * `by`: only a key counts.
 * @throws Failure UNAUTHORIZED, INVALID_API_KEY, INVALID_SIGNATURE, REPLAYED_REQUEST; PAYLOAD_TOO_LARGE and
 *   INVALID_REQUEST of a signed body; RATE_LIMITED after too many guesses; UNAVAILABLE where it cannot be known
 */
export type Authenticate = (request: IncomingMessage, by?: 'key') => Promise<Principal>;

export interface AuthenticateDeps {
  authenticator: Authenticator;
  bus: Pick<Bus, 'claim'>;
  config: Pick<Config, 'trustProxy'>;
  guesses: Guesses;
}

export const isSigned = (request: IncomingMessage): boolean => request.headers['x-signature'] !== undefined;

export function requestAuthenticator({ authenticator, bus, config, guesses }: AuthenticateDeps): Authenticate {
  async function byKey(request: IncomingMessage, key: string): Promise<Principal> {
    const { requireSignature, ...principal } = await authenticator.apiKey(key);
    const signature = readSignature(request.headers);
    if (signature) {
      await check(request, key, signature);
      await claimNonce(principal.id, signature);
    } else if (requireSignature) {
      throw new Failure('INVALID_SIGNATURE', 'This API key takes signed requests only');
    }
    return principal;
  }

  /** Before the nonce is taken: only who has the key can use one up. */
  async function check(request: IncomingMessage, key: string, signature: Signature): Promise<void> {
    assertTimely(signature, Date.now());
    const [path] = (request.url as string).split('?', 1);
    const body = signature.version === 'v2' ? await readBody(request) : Buffer.alloc(0);
    assertSigned(key, { method: request.method as string, path: path as string, body }, signature);
  }

  async function claimNonce(keyId: string, { nonce }: Signature): Promise<void> {
    const fresh = await bus.claim(`nonce ${keyId} ${nonce}`, nonceLifetimeMs).catch((cause: unknown) => {
      throw new Failure('UNAVAILABLE', 'Whether this nonce was used cannot be known now', { retryAfter: 1, cause });
    });
    if (!fresh) throw new Failure('REPLAYED_REQUEST');
  }

  async function byBearer(request: IncomingMessage, by?: 'key'): Promise<Principal> {
    const { authorization } = request.headers;
    if (isSigned(request)) throw new Failure('INVALID_SIGNATURE', 'A signature needs the X-API-Key it was made with');
    if (by === 'key') return keyless(authenticator.nobody());
    return authorization === undefined ? authenticator.nobody() : authenticator.bearer(bearerOf(authorization));
  }

  return async (request, by) => {
    const { authorization, 'x-api-key': key } = request.headers;
    const address = clientAddress(request, config.trustProxy);
    if (typeof key === 'string' && (isSigned(request) || by === 'key' || authorization === undefined)) {
      return guesses.key(address, key, () => byKey(request, key));
    }
    return guesses.bearer(address, authorization, () => byBearer(request, by));
  };
}

/** Where nobody has to say who they are (AUTH_STRATEGY is none), nobody needs a key. */
function keyless(nobody: Principal): Principal {
  if (nobody.kind === 'anonymous') throw new Failure('UNAUTHORIZED', 'An API key is needed: X-API-Key');
  return nobody;
}

function bearerOf(authorization: string): string {
  const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (!token) throw new Failure('UNAUTHORIZED', 'The Authorization header must be "Bearer <token>"');
  return token;
}
