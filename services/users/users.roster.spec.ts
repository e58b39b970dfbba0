import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ServiceBroker } from 'moleculer';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { createBroker } from '../../shared/runtime/broker.ts';
import { silentLog as log } from '../../shared/runtime/log.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { change } from '../../shared/store/change.ts';
import type { Collections, Stored } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import type { ServiceDeps } from '../deps.ts';
import { isAdministrator } from './users.rules.ts';
import { startUsers } from './users.service.ts';
import { type User, usersStore } from './users.store.ts';

const principal: Principal = { kind: 'key', id: 'k', username: 'k', email: null, roles: ['admin', 'user'] };
const refused = expect.objectContaining({ type: 'CONFLICT', message: 'The last administrator cannot be removed' });

let stores: Collections;
let broker: ServiceBroker;
/** The only administrator. */
let first: User;

beforeEach(async () => {
  stores = openMemory();
  const config = { adminUsername: 'first', adminPassword: 's3cret-password' };
  const deps = { stores, bus: memoryBus(), log, emit: async () => {}, announce() {}, config };
  broker = createBroker({ role: 'test', log });
  for (const schema of (await startUsers(deps as unknown as ServiceDeps)).schemas) broker.createService(schema);
  await broker.start();
  first = (await (await usersStore(stores)).byName('first')) as User;
});
afterEach(() => broker.stop());

const ask = <T = unknown>(action: string, params: object): Promise<T> =>
  broker.call(`users.${action}`, params, { meta: { principal } });
const update = (entity: string, payload: object) => ask('update', { entity, payload });
const user = (username: string, more: object = {}) =>
  ask<User>('create', { payload: { username, password: 's3cret-password', ...more } });
const rosters = () => stores.collection<Stored & { administrators: string[] }>({ name: 'rosters', sortable: [] });
const counted = async () => (await (await rosters()).get('administrators'))?.administrators;

/** Who is counted must be who is an administrator. */
async function expectTrueRoster(): Promise<void> {
  const { users } = await usersStore(stores);
  const all = await users.find({}, { limit: 1_000 });
  const administrators = all.filter(isAdministrator).map(({ id }) => id);
  expect((await counted())?.sort()).toEqual(administrators.sort());
}

const atOnce: [string, (id: string) => Promise<unknown>[]][] = [
  ['promoted and barred', (id) => [update(id, { roles: ['admin'] }), update(id, { can_login: false })]],
  ['barred and promoted', (id) => [update(id, { can_login: false }), update(id, { roles: ['admin'] })]],
  ['promoted and deleted', (id) => [update(id, { roles: ['admin'] }), ask('delete', { entity: id })]],
  ['promoted twice and demoted', (id) => ['admin', 'user', 'admin'].map((role) => update(id, { roles: [role] }))],
];

test.each(atOnce)('a user who is %s at once counts as administrator only while it is one', async (_what, changes) => {
  for (let n = 0; n < 10; n += 1) {
    const { id } = await user(`user${n}`);
    await Promise.allSettled(changes(id));
  }
  await expectTrueRoster();
});

test('an administrator whose email changes while it is demoted or deleted is none afterwards', async () => {
  for (let n = 0; n < 10; n += 1) {
    const { id } = await user(`user${n}`, { roles: ['admin'] });
    const ceases = n % 2 ? update(id, { roles: ['user'] }) : ask('delete', { entity: id });
    await Promise.allSettled([update(id, { email: 'a@b.example' }), ceases]);
  }
  await expectTrueRoster();
});

test('many who become administrators at once all count', async () => {
  const made = await Promise.all(Array.from({ length: 20 }, (_, n) => user(`user${n}`, { roles: ['admin'] })));
  expect(await counted()).toHaveLength(made.length + 1);
  await expectTrueRoster();
});

test('a demotion that is refused leaves everybody counted', async () => {
  await expect(update(first.id, { roles: ['user'] })).rejects.toEqual(refused);
  await expect(ask('delete', { entity: first.id })).rejects.toEqual(refused);
  await expectTrueRoster();
});

test('whom an older release counts wrongly does not let the last administrator go', async () => {
  const { id } = await user('ghost');
  await change(await rosters(), 'administrators', () => ({ administrators: [first.id, id, 'deleted'] }));
  await expect(update(first.id, { can_login: false })).rejects.toEqual(refused);
});
