import { expect, test } from '@jest/globals';
import { busSuite, eventOf, Heard } from './bus.suite.ts';
import { memoryBus } from './memory.bus.ts';
import { Claims } from './memory.claims.ts';

busSuite('the bus in memory', async () => {
  const bus = memoryBus();
  return { buses: [bus, bus], close: () => bus.close() };
});

test('the bus in memory drops the oldest events, with a warning, beyond its limit', async () => {
  const warnings: string[] = [];
  const bus = memoryBus({ limit: 3, log: { warn: (_fields, message) => warnings.push(message) } });
  await (await bus.follow({ tier: 'absent' }, async () => {})).stop();
  const events = Array.from({ length: 5 }, () => eventOf('a'));
  for (const event of events) await bus.emit(event);
  const heard = new Heard();
  await bus.follow({ tier: 'absent' }, heard.hear);
  await heard.until(3);
  expect(heard.ids).toEqual(events.slice(2).map(({ id }) => id));
  expect(warnings).toEqual(Array(2).fill('the oldest waiting event was dropped'));
  await bus.close();
});

test('claims in memory are refused, not forgotten, when there are too many, until one expires', () => {
  const claims = new Claims(2);
  expect([claims.claim('a', 1_000, 0), claims.claim('b', 5_000, 10)]).toEqual([true, true]);
  expect(() => claims.claim('c', 1_000, 999)).toThrow('more than 2');
  expect(claims.claim('a', 1_000, 999)).toBe(false);
  expect(claims.claim('c', 1_000, 1_000)).toBe(true);
  expect(claims.claim('b', 5_000, 5_009)).toBe(false);
  expect(claims.claim('b', 5_000, 5_010)).toBe(true);
});
