import { describe, expect, test } from '@jest/globals';
import { Counts, maxKeys, windowMs } from './limits.rules.ts';

/** Two gateways whose clocks have nothing to do with each other; `b` hears what `a` tells. */
const offset = 1_000_000;
const tellAll = (from: Counts, to: Counts, now: number, shift = offset) => {
  const told = from.tell(now, 1_000);
  for (const one of told) to.hear(one, now + shift);
  return told;
};
const taken = (counts: Counts, key: string, times: number, now: number) =>
  Array.from({ length: times }, () => counts.take(key, now)).filter(({ refusedFor }) => refusedFor === undefined)
    .length;

describe('the requests of a minute', () => {
  test('are let through up to the limit, then refused until the minute is over', () => {
    const counts = new Counts(3, 10);
    expect(taken(counts, 'k', 5, 100)).toBe(3);
    expect(counts.take('k', 100 + 45_000)).toEqual({ refusedFor: 15_000, urgent: false });
    expect(counts.take('k', 100 + windowMs - 1).refusedFor).toBe(1);
    expect(counts.take('k', 100 + windowMs).refusedFor).toBeUndefined();
  });

  test('count per key', () => {
    const counts = new Counts(1, 10);
    expect([taken(counts, 'a', 2, 0), taken(counts, 'b', 2, 0)]).toEqual([1, 1]);
  });

  test('of another gateway count in, in its minute, whatever its clock', () => {
    const [a, b] = [new Counts(10, 100), new Counts(10, 100)];
    taken(a, 'k', 8, 0);
    expect(tellAll(a, b, 20_000)).toEqual([['k', 8, 40_000]]);
    expect(taken(b, 'k', 5, offset + 20_000)).toBe(2);
    expect(b.take('k', offset + 30_000).refusedFor).toBe(30_000);
    expect(b.take('k', offset + 60_000).refusedFor).toBeUndefined();
  });

  test('are told once, a bounded number of keys at a time', () => {
    const counts = new Counts(10, 100);
    for (const key of ['a', 'b', 'c']) counts.take(key, 0);
    expect(counts.tell(1_000, 2).map(([key]) => key)).toEqual(['a', 'b']);
    expect(counts.tell(1_000, 2)).toEqual([['c', 1, 59_000]]);
    expect(counts.tell(1_000, 2)).toEqual([]);
    counts.take('a', 2_000);
    expect(counts.tell(2_000, 2)).toEqual([['a', 1, 58_000]]);
  });

  test('that were heard of are not told on', () => {
    const [a, b] = [new Counts(10, 100), new Counts(10, 100)];
    taken(a, 'k', 4, 0);
    tellAll(a, b, 0);
    expect(b.tell(offset, 10)).toEqual([]);
  });

  test('are urgent to tell after a part of the limit, and when the last one is taken', () => {
    const counts = new Counts(7, 3);
    const urgent = Array.from({ length: 9 }, () => {
      const one = counts.take('k', 0);
      if (one.urgent) counts.tell(0, 10);
      return one.urgent;
    });
    expect(urgent).toEqual([false, false, true, false, false, true, true, false, false]);
  });

  test('of a new minute elsewhere end an old one here', () => {
    const [a, b] = [new Counts(10, 100), new Counts(10, 100)];
    taken(b, 'k', 10, offset + 500);
    taken(a, 'k', 6, 60_100);
    tellAll(a, b, 60_200);
    expect(taken(b, 'k', 10, offset + 60_200)).toBe(4);
  });

  test('of an old minute elsewhere leave a new one here alone', () => {
    const [a, b] = [new Counts(10, 100), new Counts(10, 100)];
    taken(a, 'k', 10, 0);
    taken(b, 'k', 2, offset + 59_900);
    tellAll(a, b, 59_950);
    expect(taken(b, 'k', 20, offset + 59_950)).toBe(8);
    expect(b.take('k', offset + 70_000).refusedFor).toBe(49_900);
  });

  test('are forgotten when they are over, and when there are too many keys', () => {
    const counts = new Counts(1, 10);
    for (let key = 0; key < maxKeys + 10; key++) counts.take(`k${key}`, 0);
    expect(counts.size).toBe(maxKeys);
    expect(counts.take(`k${maxKeys}`, 0).refusedFor).toBe(windowMs);
    counts.take('late', windowMs);
    expect(counts.size).toBe(1);
  });
});
