import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Principal } from '../../shared/runtime/principal.ts';
import { Revocation } from './revocation.ts';

const user = (id: string): Principal => ({ kind: 'user', id, username: id, email: null, roles: ['user'] });
let asked: string[][];
/** Of users that are otherwise as `user` makes them. */
let versions: Map<string, number>;
/** Thrown by the next calls. */
let failures: number;
let revocation: Revocation;
let revoked: string[];
/** What of a user differs now. */
let now: Map<string, Partial<Principal>>;
let changed: string[];

beforeEach(() => {
  jest.useFakeTimers();
  asked = [];
  versions = new Map();
  failures = 0;
  revoked = [];
  now = new Map();
  changed = [];
  revocation = new Revocation({
    async accountsOf(ids) {
      asked.push(ids);
      if (failures-- > 0) throw new Error('nobody is there');
      const there = [...versions].filter(([id]) => ids.includes(id));
      return new Map(there.map(([id, tokenVersion]) => [id, { ...user(id), ...now.get(id), tokenVersion }]));
    },
    changed: (id) => changed.push(id),
  });
  revocation.onRevoked((id) => revoked.push(id));
});
afterEach(() => {
  jest.useRealTimers();
});

const settle = () => jest.advanceTimersByTimeAsync(0);

test('a check finds whose token version is old, and who is gone, with a call per 200 users', async () => {
  const held = Array.from({ length: 450 }, (_, n) => revocation.issued(user(`u${n}`), 1));
  // A second session of a user is no second question.
  held.push(revocation.issued(user('u7'), 1));
  for (const { id } of held) versions.set(id, 1);
  versions.set('u7', 2).delete('u440');
  revocation.holds(() => held);
  revocation.check();
  await settle();
  expect(asked.map((ids) => ids.length)).toEqual([200, 200, 50]);
  expect(revoked).toEqual(['u7', 'u440']);
});

test('a session of a newer token than the answer knows of stays', async () => {
  const held = [revocation.issued(user('ann'), 5)];
  versions.set('ann', 4);
  revocation.holds(() => held);
  revocation.check();
  await settle();
  expect(revoked).toEqual([]);
});

test('whoever was let in without a token version is not asked about', async () => {
  revocation.holds(() => [user('external')]);
  revocation.check();
  await settle();
  expect(asked).toEqual([]);
});

test('a check finds who has other roles or another name, though no notice told', async () => {
  const held = ['ann', 'bob', 'cid'].map((id) => revocation.issued(user(id), 1));
  for (const { id } of held) versions.set(id, 1);
  now.set('bob', { roles: ['admin', 'user'] }).set('cid', { username: 'Cid' });
  revocation.holds(() => held);
  revocation.check();
  await settle();
  expect([changed, revoked]).toEqual([['bob', 'cid'], []]);
  held.splice(1, 1, revocation.issued({ ...user('bob'), ...now.get('bob') }, 1));
  revocation.check();
  await settle();
  expect(changed).toEqual(['bob', 'cid', 'cid']);
});

test('a check is tried again while nobody answers, and ends nobody meanwhile', async () => {
  const held = [revocation.issued(user('ann'), 1)];
  revocation.holds(() => held);
  failures = 3;
  revocation.check();
  await settle();
  expect([asked.length, revoked]).toEqual([1, []]);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(revoked).toEqual(['ann']);
  expect(asked).toHaveLength(4);
});

test('gaps during a check make one more check, not one each', async () => {
  const held = Array.from({ length: 250 }, (_, n) => revocation.issued(user(`u${n}`), 1));
  for (const { id } of held) versions.set(id, 1);
  revocation.holds(() => held);
  revocation.check();
  for (let n = 0; n < 10; n += 1) revocation.check();
  await settle();
  expect(asked.map((ids) => ids.length)).toEqual([200, 200, 50]);
});

test('everybody is checked every half minute', async () => {
  const held = [revocation.issued(user('ann'), 1)];
  versions.set('ann', 2);
  revocation.holds(() => held);
  await jest.advanceTimersByTimeAsync(30_000);
  expect(revoked).toEqual(['ann']);
});

test('a principal knows whether its user was revoked since it was issued', () => {
  const before = revocation.issued(user('ann'), 1);
  revocation.revoke('ann');
  const after = revocation.issued(user('ann'), 2);
  expect([before, after, user('ann')].map((one) => revocation.wasRevoked(one))).toEqual([true, false, false]);
});
