import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Call, Failure } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import type { Config } from '../../shared/runtime/config.ts';
import type { Claims, Keyring } from '../../shared/runtime/keyring.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { anonymous, type Principal } from '../../shared/runtime/principal.ts';
import { Changes } from './changes.ts';
import type { Authenticator, KeyPrincipal } from './dispatch.types.ts';
import { externalPrincipal } from './external-principal.ts';
import { introspection } from './introspection.ts';
import { IntrospectionWatch } from './introspection.watch.ts';
import { type Account, Revocation } from './revocation.ts';

/** Milliseconds a user or key is believed without asking again; a change is told at once by a notice. */
const grantLifetimeMs = 10_000;
const maxTokens = 50_000;
const maxGrants = 50_000;
/** Questions about one user or key whose answers a change overtook, before the last answer is used for once. */
const maxQuestions = 3;

interface Grant {
  principal: Principal;
  tokenVersion: number;
}
interface KnownToken {
  userId: string;
  tokenVersion: number;
  /** Unix seconds. */
  expires: number;
  /** Where no grant is asked for (external users): who the token says it is. */
  principal?: Principal;
}

export interface AuthenticatorDeps {
  config: Pick<Config, 'authStrategy' | 'authUsers' | 'authIntrospectionUrl'>;
  keyring: Keyring;
  bus: Bus;
  call: Call;
  log: Log;
  /** Milliseconds between checks of every open session, 30,000. */
  checkEveryMs?: number;
}

const development: Principal = {
  kind: 'user',
  id: 'development',
  username: 'development',
  email: null,
  roles: ['admin', 'user'],
};

/**
 * Tokens are verified here, once each; who a user is comes from the auth service once in ten seconds per user, not per
 * request. Everything kept is bounded and forgotten when the user changes.
 */
export async function createAuthenticator(deps: AuthenticatorDeps): Promise<Authenticator> {
  const { config, keyring, bus } = deps;
  const tokens = new LRUCache<string, KnownToken>({ max: maxTokens });
  const grants = new LRUCache<string, Grant>({ max: maxGrants, ttl: grantLifetimeMs });
  const keys = new LRUCache<string, KeyPrincipal>({ max: maxGrants, ttl: grantLifetimeMs });
  const asked = new Map<string, Promise<Grant>>();
  const changes = new Changes();
  const changeHandlers: ((userId: string) => void)[] = [];
  const revocation = new Revocation({
    accountsOf: (ids) => askAccounts(deps.call, ids),
    changed(userId) {
      forget(userId);
      changed(userId);
    },
    ...(deps.checkEveryMs !== undefined && { checkEveryMs: deps.checkEveryMs }),
  });
  const introspect =
    config.authStrategy === 'introspection' && config.authIntrospectionUrl
      ? vouchedFor(config.authIntrospectionUrl, deps.log)
      : undefined;

  await bus.listen('users.changed', (data) => {
    const { id, revoked } = data as { id: string; revoked: boolean };
    forget(id);
    if (revoked) revocation.revoke(id);
    else changed(id);
  });
  await bus.listen('api-keys.changed', (data) => {
    const { keyHash } = data as { keyHash: string };
    changes.note(keyHash);
    keys.delete(keyHash);
  });
  bus.onGap(() => {
    changes.noteAll();
    grants.clear();
    keys.clear();
    revocation.check();
  });

  function forget(userId: string): void {
    changes.note(userId);
    grants.delete(userId);
  }

  function changed(userId: string): void {
    for (const handler of changeHandlers) handler(userId);
  }

  /** Who came with a token that another backend vouches for is asked about again while it has a session. */
  function vouchedFor(url: string, log: Log): (token: string) => Promise<Principal> {
    const { bearer, again } = introspection(url);
    const watch = new IntrospectionWatch({
      again,
      held: () => revocation.open(),
      ended: (userId, which) => revocation.end(userId, which),
      changed,
      log,
    });
    return async (token) => watch.issued(await bearer(token), token);
  }

  /** An answer that was on its way while its subject changed is asked for again, and kept by nobody. */
  async function current<T extends object>(id: string, ask: () => Promise<T>, kept: LRUCache<string, T>): Promise<T> {
    for (let questions = 1; ; questions += 1) {
      const mark = changes.mark();
      const answer = await ask();
      const isCurrent = !changes.since(mark, id);
      if (isCurrent) kept.set(id, answer);
      if (isCurrent || questions === maxQuestions) return answer;
    }
  }

  async function verify(token: string): Promise<KnownToken> {
    const claims = await keyring.verify(token).catch(() => undefined);
    if (!claims) throw new Failure('UNAUTHORIZED', 'The token is not valid or has expired');
    const known = readClaims(claims, config.authUsers === 'external');
    tokens.set(token, known);
    return known;
  }

  /** One question per user at a time, however many requests wait for it. */
  function grantOf(userId: string): Promise<Grant> {
    const waiting = asked.get(userId);
    if (waiting) return waiting;
    const question = current(userId, () => askGrant(deps.call, userId), grants).finally(() => asked.delete(userId));
    asked.set(userId, question);
    return question;
  }

  async function jwtPrincipal(token: string): Promise<Principal> {
    const known = tokens.get(token) ?? (await verify(token));
    if (known.expires <= Date.now() / 1_000) throw new Failure('UNAUTHORIZED', 'The token is not valid or has expired');
    if (known.principal) return known.principal;
    const grant = grants.get(known.userId) ?? (await grantOf(known.userId));
    if (grant.tokenVersion !== known.tokenVersion) throw new Failure('UNAUTHORIZED', 'The token was revoked');
    return revocation.issued({ ...grant.principal, expires: known.expires }, known.tokenVersion);
  }

  return {
    async bearer(token) {
      if (config.authStrategy === 'none') return development;
      return introspect ? introspect(token) : jwtPrincipal(token);
    },
    async current(user) {
      if (config.authStrategy !== 'jwt' || config.authUsers === 'external') return user;
      return (grants.get(user.id) ?? (await grantOf(user.id))).principal;
    },
    async apiKey(key) {
      const hash = createHash('sha256').update(key).digest('hex');
      return keys.get(hash) ?? current(hash, () => askKey(deps.call, hash), keys);
    },
    nobody: () => (config.authStrategy === 'none' ? development : anonymous),
    onRevoked: (handler) => revocation.onRevoked(handler),
    onChanged: (handler) => void changeHandlers.push(handler),
    holds: (holder) => revocation.holds(holder),
    tokenVersion: (principal) => revocation.tokenVersion(principal),
    async tokenVersions(userIds) {
      const accounts = await askAccounts(deps.call, userIds);
      return new Map([...accounts].map(([id, { tokenVersion }]) => [id, tokenVersion]));
    },
    wasRevoked: (principal) => revocation.wasRevoked(principal),
  };
}

/** `userId` (seed 003) or `sub` (RFC 7519); roles only count where users are not ours. */
function readClaims(claims: Claims, external: boolean): KnownToken {
  const userId = claims.userId ?? claims.sub;
  if (typeof userId !== 'string' && typeof userId !== 'number') {
    throw new Failure('UNAUTHORIZED', 'The token names no user');
  }
  const expires = claims.exp ?? Number.POSITIVE_INFINITY;
  const tokenVersion = typeof claims.tokenVersion === 'number' ? claims.tokenVersion : -1;
  const known = { userId: String(userId), tokenVersion, expires };
  return external ? { ...known, principal: externalPrincipal(known.userId, claims, claims.exp) } : known;
}

async function askGrant(call: Call, userId: string): Promise<Grant> {
  try {
    const { tokenVersion, id, username, email, roles } = await call('auth.session', { entity: userId });
    return { tokenVersion, principal: { kind: 'user', id, username, email, roles } };
  } catch (error) {
    throw isNotFound(error) ? new Failure('UNAUTHORIZED', 'The user is gone or may not log in') : error;
  }
}

async function askAccounts(call: Call, ids: string[]): Promise<ReadonlyMap<string, Account>> {
  const { users } = await call('users.versions', { payload: { ids } });
  return new Map(users.map((user) => [user.id, user]));
}

async function askKey(call: Call, hash: string): Promise<KeyPrincipal> {
  try {
    const { id, name, roles, requireSignature } = await call('api-keys.verify', { entity: hash });
    return { kind: 'key', id, username: name, email: null, roles, requireSignature };
  } catch (error) {
    throw isNotFound(error) ? new Failure('INVALID_API_KEY') : error;
  }
}

/** An id no user can have is refused by the contract before anybody looks for it. */
const isNotFound = (error: unknown) =>
  error instanceof Failure && (error.type === 'NOT_FOUND' || error.type === 'INVALID_REQUEST');
