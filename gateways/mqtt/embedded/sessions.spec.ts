import { describe, expect, test } from '@jest/globals';
import type { Principal } from '../../../shared/runtime/principal.ts';
import { matches } from './filters.ts';
import { Login } from './login.ts';
import { type Connection, defaultBounds, type Session, type Stored } from './session.ts';
import { Sessions } from './sessions.ts';

const principal: Principal = { kind: 'user', id: 'ann', username: 'ann', email: null, roles: ['user'] };
const ann = new Login(principal, 'token');
const bounds = { ...defaultBounds, queued: 3, queuedBytes: 100, keptOfOwner: 2, kept: 3, keptMs: 1_000, filters: 2 };
const message = (topic = 't', bytes = 1, qos: 0 | 1 = 1): Stored => ({
  cmd: 'publish',
  topic,
  payload: Buffer.alloc(bytes),
  qos,
  retain: false,
  dup: false,
});
const claimed = (sessions: Sessions, clientId: string, owner = 'user:ann', kept = true): Session => {
  const session = sessions.claim(clientId, owner, kept, ann);
  if (!session) throw new Error('taken');
  session.connected({ session, login: ann } as Connection);
  return session;
};
const release = (sessions: Sessions, session: Session, now = 0): void => {
  for (const connection of session.connections) sessions.release(connection, now);
};
const away = (sessions: Sessions, clientId: string, owner?: string, now = 0): Session => {
  const session = claimed(sessions, clientId, owner);
  session.subscribe('t', 1);
  release(sessions, session, now);
  return session;
};

test.each([
  ['a/b', 'a/b', true],
  ['a/b', 'a/c', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a/b/c', false],
  ['a/+', 'a', false],
  ['a/#', 'a', true],
  ['a/#', 'a/b/c', true],
  ['+/b', '/b', true],
  ['/+/b', '/a/b', true],
  ['/a/+/c', '/a//c', true],
  ['a/+/#', 'a/b/c/d', true],
  ['#', 'a', true],
])('%s against %s: %p', (filter, topic, expected) => {
  expect(matches(filter, topic)).toBe(expected);
});

describe('a client id', () => {
  test('cannot be taken over by another owner, connected or away', () => {
    const sessions = new Sessions(bounds);
    claimed(sessions, 'c1');
    expect(sessions.claim('c1', 'user:bob', true, ann)).toBeUndefined();
    away(sessions, 'c2');
    expect(sessions.claim('c2', 'user:bob', false, ann)).toBeUndefined();
  });

  test('is free again when a session that is not kept ends, or one that keeps nothing', () => {
    const sessions = new Sessions(bounds);
    for (const kept of [false, true]) {
      const session = claimed(sessions, 'c1', 'user:ann', kept);
      if (!kept) session.subscribe('t', 1);
      release(sessions, session);
      expect(sessions.get('c1')).toBeUndefined();
    }
  });

  test('keeps its session for the same owner, until it starts a clean one', () => {
    const sessions = new Sessions(bounds);
    const first = away(sessions, 'c1');
    expect(claimed(sessions, 'c1')).toBe(first);
    expect(claimed(sessions, 'c1', 'user:ann', false)).not.toBe(first);
  });

  test('stays claimed while a newer connection lives, whichever ends first', () => {
    const sessions = new Sessions(bounds);
    const old = claimed(sessions, 'c1', 'user:ann', false);
    const young = claimed(sessions, 'c1', 'user:ann', false);
    release(sessions, old);
    expect(sessions.get('c1')).toBe(young);
  });
});

describe('what is kept is bounded', () => {
  test('by messages, bytes and filters of a session', () => {
    const session = away(new Sessions(bounds), 'c1');
    expect([session.enqueue(message('t', 60)), session.enqueue(message('t', 60)), session.enqueue(message())]).toEqual([
      true,
      false,
      true,
    ]);
    session.remove(({ payload }) => payload.length === 60);
    expect([1, 2, 3].map(() => session.enqueue(message()))).toEqual([true, true, false]);
    expect(['a', 'b', 't', 'a'].map((filter) => session.subscribe(filter, 1))).toEqual([true, false, true, true]);
  });

  test('with room again for a client that is back and takes what waited', () => {
    const sessions = new Sessions(bounds);
    const session = away(sessions, 'c1');
    const fill = () => [1, 2, 3, 4].map(() => session.enqueue(message()));
    expect(fill()).toEqual([true, true, true, false]);
    claimed(sessions, 'c1');
    expect(fill()).toEqual([true, true, true, false]);
  });

  test('by sessions of an owner and of all: the one away longest goes', () => {
    const sessions = new Sessions(bounds);
    for (const id of ['a1', 'a2', 'a3']) away(sessions, id);
    expect(['a1', 'a2', 'a3'].map((id) => sessions.get(id) !== undefined)).toEqual([false, true, true]);
    away(sessions, 'b1', 'user:b');
    away(sessions, 'c1', 'user:c');
    expect(sessions.get('a2')).toBeUndefined();
  });

  test('by time', () => {
    const sessions = new Sessions(bounds);
    away(sessions, 'c1', 'user:ann', 5_000);
    sessions.sweep(5_999);
    expect(sessions.get('c1')).toBeDefined();
    sessions.sweep(6_000);
    expect(sessions.get('c1')).toBeUndefined();
  });
});

test('a topic is heard at the best quality of the filters that match it', () => {
  const session = claimed(new Sessions(defaultBounds), 'c1');
  session.subscribe('a/b', 0);
  session.subscribe('a/+', 2);
  expect([session.hears('a/b'), session.hears('a/c'), session.hears('x')]).toEqual([2, 2, undefined]);
});

test('messages held while a client connected are queued when it goes before it was there', () => {
  const sessions = new Sessions(bounds);
  const session = claimed(sessions, 'c1');
  session.subscribe('t', 1);
  session.hold(message('one'));
  session.hold(message('zero', 1, 0));
  release(sessions, session);
  expect(session.queue.map(({ topic }) => topic)).toEqual(['one']);
});
