import { expect, test } from '@jest/globals';
import { ownerOf } from './rendezvous.ts';

const users = Array.from({ length: 9_000 }, (_, n) => `user-${n}`);
const replicas = ['a3f0', 'b771', 'c0de'];

test('users are spread over the replicas, the same way in each of them', () => {
  const shares = replicas.map((one) => users.filter((user) => ownerOf(user, replicas) === one).length);
  for (const share of shares) expect(Math.abs(share - 3_000)).toBeLessThan(300);
  for (const user of users) expect(ownerOf(user, replicas.toReversed())).toBe(ownerOf(user, replicas));
});

test('a replica that goes moves only its own users', () => {
  const left = replicas.slice(1);
  for (const user of users) {
    const owner = ownerOf(user, replicas) as string;
    if (left.includes(owner)) expect(ownerOf(user, left)).toBe(owner);
  }
  expect(ownerOf('anybody', [])).toBeUndefined();
});
