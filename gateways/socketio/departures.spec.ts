import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type NatsAdapter, type Session, serverBack, serverLost } from '../../shared/fanout/adapter/index.ts';
import type { Fanout } from '../../shared/fanout/fanout.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { Departures } from './departures.ts';
import { Orphans } from './orphans.ts';

const user = { id: 'ann', username: 'ann', email: null };
let told: string[];
const once = ({ id }: { id: string }, room: string, event: string) => void told.push(`${event} ${room} once ${id}`);
const fanout: Pick<Fanout, 'emit'> = {
  emit: ([audience], event) => void told.push(`${event} ${audience?.kind === 'room' && audience.name}`),
};

beforeEach(() => {
  told = [];
  jest.useFakeTimers();
});
afterEach(() => void jest.useRealTimers());

describe('a connection that ended', () => {
  test('is told of at once where it cannot come back', () => {
    expect(new Departures(fanout, 120_000).left('s', user, ['a', 'b'], false)).toBe(true);
    expect(new Departures(fanout, 0).left('s', user, ['c'], true)).toBe(true);
    expect(told).toEqual(['user_left a', 'user_left b', 'user_left c']);
  });

  test('is told of after a while where it may come back', () => {
    expect(new Departures(fanout, 120_000).left('s', user, ['a'], true)).toBe(false);
    jest.advanceTimersByTime(4_999);
    expect(told).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(told).toEqual(['user_left a']);
  });

  test('and came back soon has not left', () => {
    const departures = new Departures(fanout, 120_000);
    departures.left('s', user, ['a'], true);
    jest.advanceTimersByTime(1_000);
    departures.returned('s');
    jest.advanceTimersByTime(600_000);
    expect(told).toEqual([]);
  });

  test('and came back later has joined again, once', () => {
    const departures = new Departures(fanout, 120_000);
    departures.left('s', user, ['a'], true);
    jest.advanceTimersByTime(60_000);
    departures.returned('s');
    departures.returned('s');
    expect(told).toEqual(['user_left a', 'user_joined a']);
  });

  test('is forgotten when it can no longer come back', () => {
    const departures = new Departures(fanout, 120_000);
    departures.left('s', user, ['a'], true);
    jest.advanceTimersByTime(5_000 + 120_000);
    departures.returned('s');
    expect(told).toEqual(['user_left a']);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('with its gateway is told of once by whoever takes it over, soon after it would have been', () => {
    const departures = new Departures(fanout, 120_000, once);
    const now = Date.now();
    departures.adopted('s', { user, rooms: ['a'], key: 'k' }, { left: now - 5_500, seen: now - 5_500 });
    departures.adopted('t', { user, rooms: ['b'], key: 'l' }, { left: now, seen: now });
    jest.advanceTimersByTime(2_000);
    expect(told).toEqual(['user_left a once ["k","a"]']);
    jest.advanceTimersByTime(3_000);
    expect(told.slice(1)).toEqual(['user_left b once ["l","b"]']);
    departures.returned('s');
    expect(told.slice(2)).toEqual(['user_joined a once ["k","a"]']);
  });

  test('that its gateway has told of before it was gone is told of again only where it comes back', () => {
    const departures = new Departures(fanout, 120_000, once);
    const now = Date.now();
    departures.adopted('s', { user, rooms: ['a'], key: 'k' }, { left: now - 11_000, seen: now - 5_500 });
    jest.advanceTimersByTime(10_000);
    expect(told).toEqual([]);
    departures.returned('s');
    expect(told).toEqual(['user_joined a once ["k","a"]']);
  });

  test('is told of at once where too many are waited for', () => {
    const departures = new Departures(fanout, 120_000);
    for (let n = 0; n < 10_001; n++) departures.left(`s-${n}`, user, [`r-${n}`], true);
    expect(told).toEqual(['user_left r-10000']);
    departures.close();
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('a gateway that was only silent', () => {
  let departures: Departures;
  let adapter: EventEmitter;
  const session = (sid: string, closedAt?: number): Session => ({
    sid,
    server: 'b',
    data: { user },
    state: closedAt === undefined ? 'open' : 'closed',
    since: 1,
    last: 2,
    ...(closedAt !== undefined && { closed: { at: closedAt, floor: 0 } }),
    stays: new Map([['room:a', [{ from: 0, to: Number.POSITIVE_INFINITY }]]]),
  });

  /** Another gateway takes it for gone, with these sessions. */
  async function lost(...sessions: Session[]): Promise<void> {
    departures = new Departures(fanout, 120_000, once);
    adapter = Object.assign(new EventEmitter(), { isFirst: true, sessionsOf: async () => sessions });
    new Orphans(adapter as NatsAdapter, departures, silentLog);
    adapter.emit(serverLost, 'b', Date.now() - 5_500);
    await turn();
  }

  test('has told itself of who left before: nobody hears that they joined', async () => {
    await lost(session('s', Date.now() - 90_000), session('t', Date.now() - 6_000), session('u'));
    jest.advanceTimersByTime(2_000);
    expect(told).toEqual(['user_left a once ["t 1","a"]', 'user_left a once ["u 1","a"]']);
    adapter.emit(serverBack, 'b');
    expect(told.slice(2)).toEqual(['user_joined a once ["u 1","a"]']);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('and whose connections can no longer come back is not waited for', async () => {
    await lost(session('s', Date.now() - 200_000));
    departures.returned('s');
    expect([told, jest.getTimerCount()]).toEqual([[], 0]);
  });
});
