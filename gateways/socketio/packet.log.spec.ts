import { expect, test } from '@jest/globals';
import { PacketLog } from './packet.log.ts';

const everywhere = { rooms: new Set<string>(), except: undefined };
const filled = (bounds: Partial<ConstructorParameters<typeof PacketLog>[0]>, count: number, text = '') => {
  const log = new PacketLog({ age: 1_000, packets: 1_000_000, bytes: 1_000_000_000, ...bounds });
  for (let n = 1; n <= count; n++) log.add({ ...everywhere, data: ['event', n, text] }, n);
  return log;
};
const after = (log: PacketLog, sequence: number) => [...log.after(sequence)].map(({ data }) => data[1]);

test('packets after a sequence come in order, none where there is none', () => {
  const log = filled({}, 5);
  expect([after(log, 0), after(log, 3), after(log, 5)]).toEqual([[1, 2, 3, 4, 5], [4, 5], []]);
  expect([log.holdsAfter(0), log.holdsAfter(5)]).toEqual([true, true]);
});

test('packets that are too old are gone, and it is known', () => {
  const log = filled({ age: 10 }, 30);
  expect(after(log, 0)).toEqual([21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  expect([log.holdsAfter(19), log.holdsAfter(20)]).toEqual([false, true]);
});

test('of too many packets the oldest are gone', () => {
  const log = filled({ age: 1e9, packets: 3 }, 5_000);
  expect(after(log, 4_998)).toEqual([4_999, 5_000]);
  expect(after(log, 0)).toEqual([4_998, 4_999, 5_000]);
  expect([log.holdsAfter(4_996), log.holdsAfter(4_997)]).toEqual([false, true]);
});

test('of packets that are too large together the oldest are gone', () => {
  const log = filled({ age: 1e9, bytes: 10_500 }, 20, 'x'.repeat(1_000));
  expect(after(log, 0)).toHaveLength(9);
  expect(after(log, 0).at(-1)).toBe(20);
});

test('an empty log holds everything after its newest, and nothing before it', () => {
  const log = filled({ age: 1e9, bytes: 0 }, 7);
  expect(after(log, 0)).toEqual([]);
  expect([log.newest, log.holdsAfter(7), log.holdsAfter(6)]).toEqual([7, true, false]);
});
