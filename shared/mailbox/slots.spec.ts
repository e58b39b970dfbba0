import { expect, test } from '@jest/globals';
import { Slots } from './slots.ts';

/** Takers that note when they begin, or what they are told instead. */
function takers(slots: Slots) {
  const log: string[] = [];
  const take = (name: string, isUrgent?: boolean) =>
    slots.take(isUrgent).then(
      () => void log.push(name),
      (error: Error) => void log.push(`${name}: ${error.message}`),
    );
  return { log, take };
}

test('who waits begins in order, the urgent before the others', async () => {
  const slots = new Slots(1);
  const { log, take } = takers(slots);
  await take('a');
  const waiting = [take('b'), take('c'), take('d', true), take('e', true)];
  for (let n = 0; n < 4; n += 1) slots.give();
  await Promise.all(waiting);
  expect(log).toEqual(['a', 'd', 'e', 'b', 'c']);
});

test('who is refused has no place, and leaves those that are there to others', async () => {
  const slots = new Slots(1);
  const { log, take } = takers(slots);
  await take('a');
  const waiting = [take('b'), take('c', true)];
  slots.refuse(new Error('over'));
  await Promise.all(waiting);
  expect(log).toEqual(['a', 'c: over', 'b: over']);
  slots.give();
  expect([slots.tryTake(), slots.tryTake()]).toEqual([true, false]);
});
