import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { type Call, Failure } from '../../shared/contracts/index.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { ReturnGuard } from './return.guard.ts';

const principal = { id: 'ann', roles: ['user'] } as unknown as Principal;
let asked: string[];
let closed: string[];
let guard: ReturnGuard;

beforeEach(() => {
  jest.useFakeTimers();
  asked = [];
  closed = [];
  const call = async (_action: string, { entity }: { entity: string }) => {
    asked.push(entity);
    if (closed.includes(entity)) throw new Failure('FORBIDDEN');
    return { room: entity };
  };
  guard = new ReturnGuard(() => call as unknown as Call);
  jest.advanceTimersByTime(121_000);
});
afterEach(() => void jest.useRealTimers());

const hears = (details: object, event = 'updated') =>
  guard.heard({
    id: 'e',
    hearers: { kind: 'admins' },
    body: { domain: 'rooms', event, entity: 'r', details: { ...details }, at: new Date().toISOString() },
  });

test('rooms to which nothing happened are not asked about', async () => {
  hears({ name: 'c', private: false });
  expect(await guard.mayReturn(principal, ['room:a', 'room:b', 'room:c'])).toBe(true);
  expect(asked).toEqual([]);
});

test('a room that was made private is asked about, and is not given back to whom it is closed', async () => {
  hears({ name: 'a', private: true });
  expect(await guard.mayReturn(principal, ['room:a', 'room:b'])).toBe(true);
  closed = ['a'];
  await expect(guard.mayReturn(principal, ['room:a', 'room:b'])).rejects.toThrow(Failure);
  expect(asked).toEqual(['a', 'a']);
});

test('while the rooms cannot be asked about they are asked about again, and given back to nobody', async () => {
  jest.useRealTimers();
  let failures = 2;
  const call = async () => {
    failures -= 1;
    if (failures >= 0) throw new Failure('UNAVAILABLE');
  };
  expect(await new ReturnGuard(() => call as never).mayReturn(principal, ['room:a'])).toBe(true);
  failures = Number.POSITIVE_INFINITY;
  await expect(new ReturnGuard(() => call as never).mayReturn(principal, ['room:a'])).rejects.toThrow(Failure);
});

test('a room that got other names is asked about by the last', async () => {
  hears({ name: 'b', previousName: 'a', private: false });
  hears({ name: 'c', previousName: 'b', private: false });
  hears({ name: 'c', private: true });
  await guard.mayReturn(principal, ['room:a']);
  expect(asked).toEqual(['c']);
});

test('names that go round end', async () => {
  hears({ name: 'b', previousName: 'a', private: true });
  hears({ name: 'a', previousName: 'b', private: true });
  await guard.mayReturn(principal, ['room:b']);
  expect(asked).toEqual(['a']);
});

test('who has lost a role since begins anew, who has another one does not', async () => {
  expect(await guard.mayReturn(principal, ['role:user', 'role:admin', 'room:a'])).toBe(false);
  expect(await guard.mayReturn({ ...principal, roles: ['admin', 'user'] }, ['role:user', 'room:a'])).toBe(true);
});

test('what happened before anybody who may come back went away is forgotten', async () => {
  hears({ name: 'a', private: true });
  jest.advanceTimersByTime(151_000);
  await guard.mayReturn(principal, ['room:a']);
  expect(asked).toEqual([]);
});

test('a gateway that is there for a shorter time than somebody may be away asks about every room, up to a bound', async () => {
  const young = new ReturnGuard(
    () => (async (_: string, { entity }: { entity: string }) => void asked.push(entity)) as never,
  );
  expect(await young.mayReturn(principal, ['room:a', 'room:b'])).toBe(true);
  expect(asked).toEqual(['a', 'b']);
  const many = Array.from({ length: 201 }, (_, n) => `room:r-${n}`);
  expect(await young.mayReturn(principal, many)).toBe(false);
});
