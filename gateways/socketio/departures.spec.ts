import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Fanout } from '../../shared/fanout/fanout.ts';
import { Departures } from './departures.ts';

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
    new Departures(fanout, 120_000).left('s', user, ['a', 'b'], false);
    new Departures(fanout, 0).left('s', user, ['c'], true);
    expect(told).toEqual(['user_left a', 'user_left b', 'user_left c']);
  });

  test('is told of after a while where it may come back', () => {
    new Departures(fanout, 120_000).left('s', user, ['a'], true);
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
