import { randomBytes } from 'node:crypto';
import { Failure } from '../../shared/contracts/index.ts';
import { usersContract } from '../../shared/contracts/users.contract.ts';
import { RepeatedNotices } from '../../shared/fanout/repeated.ts';
import { implement } from '../../shared/runtime/implement.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { change, found, given } from '../../shared/store/change.ts';
import { Duplicate } from '../../shared/store/collection.ts';
import type { ServiceDeps, StartService } from '../deps.ts';
import { hashPassword, passwordFits } from './passwords.ts';
import { assertMayChange, assertMayRead, assertNotSelf, endsTokens, isAdministrator } from './users.rules.ts';
import { type User, type UsersStore, usersStore } from './users.store.ts';

const lastAdministrator = () => new Failure('CONFLICT', 'The last administrator cannot be removed');

export const startUsers: StartService = async (deps) => {
  const store = await usersStore(deps.stores);
  const { users } = store;
  /** Gateways forget what they know of the user; see gateways/core/authenticator.ts. */
  const notices = new RepeatedNotices(deps.bus, 'users.changed');
  const changed = (id: string, revoked: boolean) => notices.notify({ id, revoked });

  const handlers: Parameters<typeof implement<typeof usersContract>>[1] = {
    users: {
      list: ({ payload }) => users.list(payload),
      async create({ payload: { password, ...fields } }) {
        const user = await users.insert({ ...fields, passwordHash: await hashPassword(password), tokenVersion: 1 });
        if (isAdministrator(user)) await enlist(store, user.id);
        await deps.emit('users', 'created', user.id, { username: user.username });
        return user;
      },
      async read({ entity, principal }) {
        assertMayRead(principal, entity);
        return found(await users.get(entity));
      },
      async update({ entity, payload, principal }) {
        assertMayChange(principal, entity, Object.keys(payload));
        const { password, ...fields } = payload;
        const patch = given({ ...fields, passwordHash: password && (await hashPassword(password)) });
        const { user, revoked } = await changeUser(store, entity, patch, principal);
        changed(user.id, revoked);
        await deps.emit('users', 'updated', user.id, { username: user.username });
        return user;
      },
      async delete({ entity, principal }) {
        if (principal.id === entity) throw new Failure('FORBIDDEN', 'Nobody can delete themselves');
        const user = found(await users.get(entity));
        if (!(await store.discharge(user.id))) throw lastAdministrator();
        found(await users.delete(user.id));
        changed(user.id, true);
        await deps.emit('users', 'deleted', user.id, { username: user.username });
        return undefined;
      },
      async authenticate({ payload: { username, password } }) {
        const user = await store.byName(username);
        const fits = await passwordFits(user?.passwordHash, password);
        if (!user || !fits || !user.can_login) throw new Failure('UNAUTHORIZED', 'Invalid user credentials');
        return user;
      },
      account: async ({ entity }) => found(await users.get(entity)),
      async versions({ payload: { ids } }) {
        const there = await users.find({ id: { $in: ids }, can_login: true }, { limit: ids.length });
        return { users: there };
      },
      async revoke({ entity }) {
        await change(users, entity, ({ tokenVersion }) => ({ tokenVersion: tokenVersion + 1 }));
        changed(entity, true);
        return undefined;
      },
    },
  };
  await firstAdministrator(store, deps);
  return { schemas: implement(usersContract, handlers, deps.log) };
};

/**
 * The roster of administrators is changed before a user stops being one and after a user became one, so whatever
 * happens in between, it never counts somebody who is none.
 */
async function changeUser(
  store: UsersStore,
  id: string,
  patch: Partial<User>,
  principal: Principal,
): Promise<{ user: User; revoked: boolean }> {
  const before = found(await store.users.get(id));
  assertNotSelf(principal, before, patch);
  const stays = isAdministrator({ ...before, ...patch });
  if (isAdministrator(before) && !stays && !(await store.discharge(id))) throw lastAdministrator();
  try {
    const user = await change(store.users, id, (current) => ({
      ...patch,
      ...(endsTokens(current, patch) && { tokenVersion: current.tokenVersion + 1 }),
    }));
    return { user, revoked: user.tokenVersion !== before.tokenVersion };
  } finally {
    const after = await store.users.get(id);
    if (after && isAdministrator(after)) await enlist(store, id);
  }
}

async function enlist(store: UsersStore, id: string): Promise<void> {
  if (!(await store.enlist(id))) throw new Failure('CONFLICT', 'There are too many administrators');
}

/** Made when there is none; of several processes that start at once, one makes it. */
async function firstAdministrator(store: UsersStore, { config, announce }: ServiceDeps): Promise<void> {
  if (await store.hasAdministrator()) return;
  const password = config.adminPassword ?? randomBytes(12).toString('base64url');
  try {
    const user = await store.users.insert({
      username: config.adminUsername,
      email: null,
      roles: ['admin', 'user'],
      can_login: true,
      passwordHash: await hashPassword(password),
      tokenVersion: 1,
    });
    await store.enlist(user.id);
    announce(
      `administrator: ${config.adminUsername}  password: ${config.adminPassword ? '(as configured)' : password}`,
    );
  } catch (error) {
    if (!(error instanceof Duplicate)) throw error;
    const user = await store.byName(config.adminUsername);
    if (user && isAdministrator(user)) await store.enlist(user.id);
  }
}
