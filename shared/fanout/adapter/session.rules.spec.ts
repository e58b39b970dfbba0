import { expect, test } from '@jest/globals';
import { missedAfter, replay, roomsOf, type Session, type SessionRecord, wasFor } from './session.rules.ts';

const open = (rooms: string[], server = 'a', again?: true): SessionRecord => ({
  t: 'open',
  server,
  sid: 'me',
  rooms,
  data: {},
  ...(again && { again }),
});
const closed = (rooms: string[], server = 'a'): SessionRecord => ({
  t: 'closed',
  server,
  sid: 'me',
  rooms,
  data: { last: true },
  at: 5,
  floor: 7,
});

const claimed = (server: string): SessionRecord => ({ t: 'claimed', server, sid: 'me', at: 5, floor: 7 });

/** Records at the sequences 10, 20, 30 … */
const told = (...records: SessionRecord[]): Session =>
  replay(records.map((record, index) => ({ sequence: (index + 1) * 10, record }))) as Session;

const to = (session: Session, sequence: number, rooms: string[], except: string[] = []) =>
  wasFor(session, { sequence, rooms, except });

test('no records tell of no session, nor do changes alone', () => {
  expect(replay([])).toBeNull();
  expect(replay([{ sequence: 1, record: { t: 'rooms', join: ['x'], leave: [] } }])).toBeNull();
});

test('a packet was for a session while it was in the room', () => {
  const session = told(open(['x']), { t: 'rooms', join: ['y'], leave: ['x'] }, { t: 'rooms', join: ['x'], leave: [] });
  expect([5, 15, 25, 35].map((sequence) => to(session, sequence, ['x']))).toEqual([false, true, false, true]);
  expect([15, 25].map((sequence) => to(session, sequence, ['y']))).toEqual([false, true]);
  expect(roomsOf(session).sort()).toEqual(['x', 'y']);
});

test('everybody, its own room and several rooms include it, an excepted one does not', () => {
  const session = told(open(['x']));
  expect(to(session, 15, [])).toBe(true);
  expect(to(session, 15, ['me'])).toBe(true);
  expect(to(session, 15, ['y', 'x'])).toBe(true);
  expect(to(session, 15, [], ['x'])).toBe(false);
  expect(to(session, 15, ['x'], ['me'])).toBe(false);
  expect(to(session, 5, [], ['x'])).toBe(true);
});

test('a repeated record stands for rooms that were joined before the log begins', () => {
  const session = told(open(['x'], 'a', true), { t: 'rooms', join: [], leave: ['x'] });
  expect([5, 15, 25].map((sequence) => to(session, sequence, ['x']))).toEqual([true, true, false]);
  expect(session.since).toBe(0);
});

test('a session moves to another server, and what the old one says of its end then is too late', () => {
  const session = told(open(['x']), open(['x'], 'b'), closed(['x'], 'a'));
  expect(session).toMatchObject({ server: 'b', state: 'open', since: 20, last: 30 });
  expect(told(open(['x']), closed(['x']))).toMatchObject({ state: 'closed', data: { last: true } });
  expect(told(open(['x']), { t: 'ended' })).toMatchObject({ state: 'ended' });
});

test('what a server repeats of a session that another one has restored meanwhile does not take it back', () => {
  const session = told(open(['x']), open(['x'], 'b'), open(['y'], 'a', true));
  expect(session).toMatchObject({ server: 'b', state: 'open', since: 20, last: 30 });
  expect(roomsOf(session)).toEqual(['x']);
  const left = told(open(['x']), open(['x'], 'b'), open(['x'], 'a', true), closed(['x'], 'b'));
  expect(left).toMatchObject({ server: 'b', state: 'closed', last: 40 });
});

test('a session that comes back is as it was when it went until it is connected, and of the new server then', () => {
  const away = told(open(['x']), closed(['x']), claimed('b'));
  expect(away).toMatchObject({ server: 'b', state: 'arriving', since: 10, last: 30, closed: { at: 5, floor: 7 } });
  expect(to(away, 35, ['x'])).toBe(true);
  const back = told(open(['x']), closed(['x']), claimed('b'), open(['x', 'y'], 'b', true));
  expect(back).toMatchObject({ server: 'b', state: 'open', since: 40 });
  expect(back.closed).toBeUndefined();
  expect([25, 35, 45].map((sequence) => to(back, sequence, ['x']))).toEqual([true, true, true]);
  expect([35, 45].map((sequence) => to(back, sequence, ['y']))).toEqual([false, true]);
});

test('a session that two servers claim is the last one’s, whatever the first says of it', () => {
  const session = told(open(['x']), closed(['x']), claimed('b'), claimed('c'), open(['x'], 'b', true), closed([], 'b'));
  expect(session).toMatchObject({ server: 'c', state: 'arriving', last: 60 });
});

test('of a server that lost what it said of the connection of a session, the floor tells nothing of it', () => {
  const session = told(open(['x']), closed(['x']), claimed('b'), closed(['x'], 'b'));
  expect(missedAfter(session, 12, { at: 0, floor: 35 })).toBe(12);
});

test('the word of its server counts only for what the session heard there', () => {
  const session = told(open(['x']));
  expect(missedAfter(session, 12, null)).toBe(12);
  expect(missedAfter(session, 12, { at: 0, floor: 50 })).toBe(50);
  expect(missedAfter(session, 60, { at: 0, floor: 50 })).toBe(60);
  expect(missedAfter(told(open(['x']), open(['x'], 'b')), 12, { at: 0, floor: 20 })).toBe(12);
});
