import { expect, test } from '@jest/globals';
import { busSuite, eventOf, Heard } from './bus.suite.ts';
import { memoryBus } from './memory.bus.ts';

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
