import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { silentLog } from '../../shared/runtime/log.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { IntrospectionWatch } from './introspection.watch.ts';

type Answer = Principal | undefined | Error;
const user = (id: string, more: Partial<Principal> = {}): Principal => ({
  kind: 'user',
  id,
  username: id,
  email: null,
  roles: ['user'],
  ...more,
});

let held: Principal[];
let answer: (token: string) => Answer;
let answerMs: number;
let asked: string[];
let running: number;
let mostRunning: number;
let changed: string[];
let watch: IntrospectionWatch;

beforeEach(() => {
  jest.useFakeTimers();
  [held, asked, changed, running, mostRunning, answerMs] = [[], [], [], 0, 0, 0];
  answer = (token) => user(token.split('-')[0] as string);
  watch = new IntrospectionWatch({
    async again(token) {
      asked.push(token);
      running += 1;
      mostRunning = Math.max(mostRunning, running);
      await new Promise((resolve) => setTimeout(resolve, answerMs));
      running -= 1;
      const given = answer(token);
      if (given instanceof Error) throw given;
      return given;
    },
    held: () => held,
    ended(userId, which) {
      held = held.filter((principal) => principal.id !== userId || !which(principal));
    },
    changed: (userId) => changed.push(userId),
    log: silentLog,
  });
});
afterEach(() => {
  jest.useRealTimers();
});

const open = (token: string): Principal => {
  const principal = watch.issued(user(token.split('-')[0] as string), token);
  held.push(principal);
  return principal;
};
const pass = (seconds: number) => jest.advanceTimersByTimeAsync(seconds * 1_000);
const silence = new Error('nobody is there');

test('each token is asked about once a second, however many sessions came with it', async () => {
  const principal = open('ann-1');
  held.push(principal, principal);
  open('ann-1');
  open('bob-1');
  await pass(3.5);
  expect(asked).toEqual(['ann-1', 'bob-1', 'ann-1', 'bob-1', 'ann-1', 'bob-1']);
});

test('sessions without such a token are not asked about, nor those that are gone', async () => {
  held.push(user('key'));
  open('ann-1');
  await pass(1.5);
  held = [];
  await pass(5);
  expect(asked).toEqual(['ann-1']);
});

test('a token that is no longer good ends its own sessions, not those of its user’s other token', async () => {
  open('ann-1');
  open('ann-1');
  const other = open('ann-2');
  answer = (token) => (token === 'ann-1' ? undefined : user('ann'));
  await pass(1.1);
  expect(held).toEqual([other]);
});

test('a token that is another user’s now ends its sessions', async () => {
  open('ann-1');
  answer = () => user('bob');
  await pass(1.1);
  expect(held).toEqual([]);
});

test('ten are asked at a time, and a second later all again only where all were answered', async () => {
  for (let n = 0; n < 100; n += 1) open(`u${n}-1`);
  answerMs = 500;
  await pass(3.4);
  expect([mostRunning, asked.length]).toEqual([10, 50]);
  await pass(20);
  expect(mostRunning).toBe(10);
  expect(new Set(asked.slice(0, 100)).size).toBe(100);
});

test('another role is told once', async () => {
  open('ann-1');
  answer = () => user('ann', { roles: ['admin', 'user'] });
  await pass(5);
  expect(changed).toEqual(['ann']);
});

test('a backend that does not answer ends nobody for a minute, and then all', async () => {
  for (let n = 0; n < 400; n += 1) open(`u${n}-1`);
  await pass(5);
  answer = () => silence;
  // As long as a question may take: most are not asked about within the minute.
  answerMs = 2_000;
  await pass(58);
  expect(held).toHaveLength(400);
  await pass(8);
  expect(held).toHaveLength(0);
});

test('a backend that answers again in time ends nobody', async () => {
  open('ann-1');
  for (let n = 0; n < 5; n += 1) {
    answer = () => silence;
    await pass(50);
    answer = () => user('ann');
    await pass(2);
  }
  expect(held).toHaveLength(1);
});

test('one token about which no answer comes for a minute ends its sessions while others are answered', async () => {
  open('ann-1');
  open('bob-1');
  answer = (token) => (token === 'ann-1' ? silence : user('bob'));
  await pass(59);
  expect(held).toHaveLength(2);
  await pass(4);
  expect(held.map(({ id }) => id)).toEqual(['bob']);
});
