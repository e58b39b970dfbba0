import { beforeEach, describe, expect, test } from '@jest/globals';
import type { PresentSession, SessionChange } from '../../shared/fanout/presence.notices.ts';
import { PresenceIndex } from './presence.rules.ts';

const session = (id: string, user: string, name = user): PresentSession => ({
  id,
  protocol: 'socketio',
  user: { id: user, username: name, email: null },
  since: '2026-01-01T00:00:00.000Z',
});
const joined = (id: string, user: string, name?: string): SessionChange => ({ joined: session(id, user, name) });
const online = () =>
  index
    .page({ prefix: '', descending: false, skip: 0, take: 100 })
    .items.map(({ id, sessions }) => `${id}:${sessions.size}`);
let index: PresenceIndex;
let told: string[];
beforeEach(() => {
  told = [];
  index = new PresenceIndex({
    appeared: ({ id }) => told.push(`+${id}`),
    vanished: ({ id }, lost) => told.push(`${lost ? 'lost ' : ''}-${id}`),
    entered: ({ id }, rooms) => told.push(`${id} in ${rooms}`),
    exited: ({ id }, room) => told.push(`${id} out of ${room}`),
  });
});
const change = (gateway: string, sequence: number, ...changes: SessionChange[]) =>
  index.change({ gateway, sequence, changes }, 0);
const snapshot = (gateway: string, sequence: number, parts: SessionChange[][]) =>
  parts.map((changes, part) =>
    index.snapshot({ gateway, sequence, part, last: part === parts.length - 1, changes }, 0),
  );

describe('the index of who is online', () => {
  test('counts the sessions of a user over gateways, who comes once and goes once', () => {
    change('a', 1, joined('1', 'ann'), joined('2', 'ann'));
    change('b', 1, joined('1', 'ann'));
    change('b', 2, joined('2', 'bob'));
    expect(online()).toEqual(['ann:3', 'bob:1']);
    change('a', 2, { left: '1' });
    change('a', 3, { left: '2' });
    expect(online()).toEqual(['ann:1', 'bob:1']);
    change('b', 3, { left: '1' });
    expect(online()).toEqual(['bob:1']);
    expect(told).toEqual(['+ann', '+bob', '-ann']);
  });

  test('says when a change was missed, and is right again after a snapshot', () => {
    expect(change('a', 2, joined('2', 'bob'))).toBe(false);
    expect(index.whole).toBe(false);
    snapshot('a', 2, [[joined('1', 'ann'), joined('2', 'bob')]]);
    expect(online()).toEqual(['ann:1', 'bob:1']);
    expect(index.whole).toBe(true);
    expect(index.heartbeat({ gateway: 'a', sequence: 3, sessions: 2 }, 0)).toBe(false);
    expect(index.heartbeat({ gateway: 'a', sequence: 2, sessions: 3 }, 0)).toBe(false);
    expect(index.heartbeat({ gateway: 'a', sequence: 2, sessions: 2 }, 0)).toBe(true);
  });

  test('a heartbeat that a change overtook is no reason to ask', () => {
    change('a', 1, joined('1', 'ann'));
    expect(index.heartbeat({ gateway: 'a', sequence: 0, sessions: 0 }, 0)).toBe(true);
  });

  test('takes a change it has seen before once, and no snapshot older than what it knows', () => {
    change('a', 1, joined('1', 'ann'));
    expect(change('a', 1, joined('1', 'ann'))).toBe(true);
    change('a', 2, { left: '1' });
    snapshot('a', 1, [[joined('1', 'ann')]]);
    expect(online()).toEqual([]);
  });

  test('takes a snapshot of several parts at its end, then the changes that came between them', () => {
    change('a', 1, joined('old', 'eve'));
    change('a', 9, joined('gap', 'gus'));
    const part = (number: number, last: boolean, ...changes: SessionChange[]) =>
      index.snapshot({ gateway: 'a', sequence: 9, part: number, last, changes }, 0);
    part(0, false, joined('1', 'ann'), { id: '1', entered: ['x'] });
    expect(change('a', 10, joined('3', 'cid'))).toBe(true);
    expect(index.heartbeat({ gateway: 'a', sequence: 10, sessions: 3 }, 900)).toBe(true);
    part(1, false, joined('2', 'bob'));
    change('a', 11, { left: '2' });
    expect(online()).toEqual(['eve:1']);
    expect(part(2, true)).toBe(true);
    expect(online()).toEqual(['ann:1', 'cid:1']);
    expect(index.heartbeat({ gateway: 'a', sequence: 11, sessions: 2 }, 0)).toBe(true);
    expect(told).toEqual(['+eve', '+ann', 'ann in x', '+bob', '-eve', '+cid', '-bob']);
  });

  test('says when a part is missing, and when no more of them come', () => {
    change('a', 5, joined('1', 'ann'));
    const part = (number: number, at: number) =>
      index.snapshot({ gateway: 'a', sequence: 5, part: number, last: false, changes: [] }, at);
    part(0, 0);
    expect(part(2, 0)).toBe(false);
    part(0, 100);
    expect(index.heartbeat({ gateway: 'a', sequence: 5, sessions: 1 }, 1_000)).toBe(true);
    expect(index.heartbeat({ gateway: 'a', sequence: 5, sessions: 1 }, 1_100)).toBe(false);
  });

  test('a snapshot of what is known tells nothing, and rooms that were left meanwhile', () => {
    change('a', 1, joined('1', 'ann'), { id: '1', entered: ['x', 'y'] });
    told = [];
    index.heartbeat({ gateway: 'a', sequence: 4, sessions: 1 }, 0);
    snapshot('a', 4, [[joined('1', 'ann'), { id: '1', entered: ['y', 'z'] }]]);
    expect(told).toEqual(['ann in y,z', 'ann out of x']);
  });

  test('a room is left when the last session of the user leaves it', () => {
    change('a', 1, joined('1', 'ann'), joined('2', 'ann'));
    change('a', 2, { id: '1', entered: ['x'] }, { id: '2', entered: ['x'] });
    told = [];
    change('a', 3, { id: '1', exited: ['x'] });
    expect(told).toEqual([]);
    change('a', 4, { id: '2', exited: ['x'] });
    expect(told).toEqual(['ann out of x']);
  });

  test('takes out the sessions of a gateway that is silent for longer than its lease', () => {
    change('a', 1, joined('1', 'ann'));
    change('b', 1, joined('1', 'bob'));
    index.heartbeat({ gateway: 'b', sequence: 1, sessions: 1 }, 4_000);
    index.expire(4_500, 4_500);
    expect(online()).toEqual(['ann:1', 'bob:1']);
    index.expire(4_501, 4_500);
    expect(online()).toEqual(['bob:1']);
    expect(told).toEqual(['+ann', '+bob', 'lost -ann']);
    expect(index.heartbeat({ gateway: 'a', sequence: 1, sessions: 1 }, 5_000)).toBe(false);
  });

  test('after a time in which nobody could be heard every gateway has its whole lease again', () => {
    change('a', 1, joined('1', 'ann'));
    index.renew(60_000);
    index.expire(64_000, 4_500);
    expect(online()).toEqual(['ann:1']);
  });

  test('a gateway that ends takes its sessions with it', () => {
    change('a', 1, joined('1', 'ann'));
    index.change({ gateway: 'a', sequence: 2, changes: [], ended: true }, 0);
    expect(online()).toEqual([]);
    expect(told).toEqual(['+ann', '-ann']);
  });

  test('a user has the name of the newest session', () => {
    change('a', 1, joined('1', 'u1', 'zoe'), joined('2', 'u2', 'mia'));
    change('b', 1, joined('1', 'u1', 'Anna'));
    expect(online()).toEqual(['u1:2', 'u2:1']);
    expect(index.user('u1')?.username).toBe('Anna');
    change('a', 2, { left: '1' });
    change('b', 2, { left: '1' });
    expect(online()).toEqual(['u2:1']);
  });
});
