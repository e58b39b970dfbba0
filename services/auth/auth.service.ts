import { authContract } from '../../shared/contracts/auth.contract.ts';
import { Failure } from '../../shared/contracts/index.ts';
import { RepeatedNotices } from '../../shared/fanout/repeated.ts';
import { implement } from '../../shared/runtime/implement.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { found } from '../../shared/store/change.ts';
import { Duplicate } from '../../shared/store/collection.ts';
import type { ServiceDeps, StartService } from '../deps.ts';
import { type AuthStore, authStore, hashKey, newKey } from './auth.store.ts';

const tokenLifetimeSeconds = 24 * 60 * 60;
const firstKeyId = 'first';

/** Logging out or asking who one is makes no sense for a machine's key. @throws Failure FORBIDDEN */
function assertUser(principal: Principal): string {
  if (principal.kind !== 'user') throw new Failure('FORBIDDEN', 'An API key is no user');
  return principal.id;
}

export const startAuth: StartService = async (deps) => {
  const store = await authStore(deps.stores);
  const { keys } = store;
  const keysChanged = new RepeatedNotices(deps.bus, 'api-keys.changed');

  const handlers: Parameters<typeof implement<typeof authContract>>[1] = {
    auth: {
      async create({ payload, call }) {
        const user = await call('users.authenticate', { payload });
        const claims = { sub: user.id, userId: user.id, username: user.username, tokenVersion: user.tokenVersion };
        const bearer = await deps.keyring.sign(claims, tokenLifetimeSeconds);
        return { bearer, expiration: new Date(Date.now() + tokenLifetimeSeconds * 1_000).toISOString(), user };
      },
      read: ({ principal, call }) => call('users.account', { entity: assertUser(principal) }),
      async delete({ principal, call }) {
        await call('users.revoke', { entity: assertUser(principal) });
        return undefined;
      },
      async session({ entity, call }) {
        const account = await call('users.account', { entity });
        if (!account.can_login) throw new Failure('NOT_FOUND');
        return account;
      },
    },
    'api-keys': {
      list: ({ payload }) => keys.list(payload),
      async create({ payload }) {
        const key = newKey();
        return { ...(await keys.insert({ ...payload, keyHash: hashKey(key) })), key };
      },
      async delete({ entity }) {
        const { id, keyHash } = found(await keys.delete(entity));
        keysChanged.notify({ id, keyHash });
        return undefined;
      },
      async known({ payload: { ids } }) {
        const there = await keys.find({ id: { $in: ids } }, { limit: ids.length });
        return { ids: there.map(({ id }) => id) };
      },
      verify: async ({ entity }) => found(await store.byHash(entity)),
    },
  };
  await firstKey(store, deps);
  return { schemas: implement(authContract, handlers, deps.log) };
};

/** Made once per store: whoever deletes the last key wants none. Keys that are there, whoever made them, will do. */
async function firstKey(store: AuthStore, deps: ServiceDeps): Promise<void> {
  if (await store.hadFirst()) return;
  if ((await store.keys.count({})) === 0) await makeFirstKey(store, deps);
  await store.rememberFirst();
}

/** Its fixed id lets one of several processes that start at once make it. */
async function makeFirstKey({ keys }: AuthStore, { config, announce }: ServiceDeps): Promise<void> {
  const key = config.apiKey ?? newKey();
  const record = { id: firstKeyId, name: 'first key', roles: ['admin', 'user'] as ('admin' | 'user')[] };
  try {
    await keys.insert({ ...record, requireSignature: false, keyHash: hashKey(key) });
    announce(`API key: ${config.apiKey ? '(as configured)' : key}`);
  } catch (error) {
    if (!(error instanceof Duplicate)) throw error;
  }
}
