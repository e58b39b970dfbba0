import { randomBytes } from 'node:crypto';
import { Failure } from '../../shared/contracts/index.ts';
import { usersContract } from '../../shared/contracts/users.contract.ts';
import { RepeatedNotices } from '../../shared/fanout/repeated.ts';
import { implement } from '../../shared/runtime/implement.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { change, found, given, withdraw } from '../../shared/store/change.ts';
import { type Collection, Duplicate } from '../../shared/store/collection.ts';
import type { ServiceDeps, StartService } from '../deps.ts';
import { hashPassword, passwordFits } from './passwords.ts';
import { type AdministratorsRoster, administratorsRoster } from './users.roster.ts';
import { assertMayChange, assertMayRead, assertNotSelf, endsTokens, isAdministrator } from './users.rules.ts';
import { type User, type UsersStore, usersStore } from './users.store.ts';

export const startUsers: StartService = async (deps) => {
  const store = await usersStore(deps.stores);
  const { users } = store;
  const roster = await administratorsRoster(deps.stores, users);
  /** Gateways forget what they know of the user; see gateways/core/authenticator.ts. */
  const notices = new RepeatedNotices(deps.bus, 'users.changed');
  const changed = (id: string, revoked: boolean) => notices.notify({ id, revoked });

  const handlers: Parameters<typeof implement<typeof usersContract>>[1] = {
    users: {
      list: ({ payload }) => users.list(payload),
      async create({ payload: { password, ...fields } }) {
        const user = await users.insert({ ...fields, passwordHash: await hashPassword(password), tokenVersion: 1 });
        const enlisted = await roster.enlist(user.id);
        await deps.emit('users', 'created', user.id, { username: user.username });
        return enlisted ?? user;
      },
      async read({ entity, principal }) {
        assertMayRead(principal, entity);
        return found(await users.get(entity));
      },
      async update({ entity, payload, principal }) {
        assertMayChange(principal, entity, Object.keys(payload));
        const { password, ...fields } = payload;
        const patch = given({ ...fields, passwordHash: password && (await hashPassword(password)) });
        const { user, revoked } = await changeUser(users, roster, entity, patch, principal);
        changed(user.id, revoked);
        await deps.emit('users', 'updated', user.id, { username: user.username });
        return user;
      },
      async delete({ entity, principal }) {
        if (principal.id === entity) throw new Failure('FORBIDDEN', 'Nobody can delete themselves');
        const user = await deleteUser(users, roster, entity);
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
  await firstAdministrator(store, roster, deps);
  return { schemas: implement(usersContract, handlers, deps.log) };
};

/** Whoever was discharged for a change that did not come about counts again. */
async function changeUser(
  users: Collection<User>,
  roster: AdministratorsRoster,
  id: string,
  patch: Partial<User>,
  principal: Principal,
): Promise<{ user: User; revoked: boolean }> {
  let revoked = false;
  const decide = async (current: User) => {
    assertNotSelf(principal, current, patch);
    if (isAdministrator(current) && !isAdministrator({ ...current, ...patch })) await roster.discharge(id);
    revoked = endsTokens(current, patch);
    return { ...patch, ...(revoked && { tokenVersion: current.tokenVersion + 1 }) };
  };
  try {
    const user = await change(users, id, decide);
    return { user: (await roster.enlist(id)) ?? user, revoked };
  } catch (error) {
    await roster.enlist(id);
    throw error;
  }
}

async function deleteUser(users: Collection<User>, roster: AdministratorsRoster, id: string): Promise<User> {
  const decide = async (current: User) => {
    if (isAdministrator(current)) await roster.discharge(id);
  };
  return withdraw(users, id, decide).finally(() => roster.enlist(id));
}

/** Made when there is none; of several processes that start at once, one makes it. */
async function firstAdministrator(
  store: UsersStore,
  roster: AdministratorsRoster,
  { config, announce }: ServiceDeps,
): Promise<void> {
  if (await roster.hasAdministrator()) return;
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
    await roster.enlist(user.id);
    announce(
      `administrator: ${config.adminUsername}  password: ${config.adminPassword ? '(as configured)' : password}`,
    );
  } catch (error) {
    if (!(error instanceof Duplicate)) throw error;
    const user = await store.byName(config.adminUsername);
    if (user) await roster.enlist(user.id);
  }
}
