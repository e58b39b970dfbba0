import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { block, type Priority, priorityOf, take, type Usage } from './usage.rules.ts';

const minute = 60_000;
const hour = 3_600_000;
const start = 1_800_000_000_000;
const none: Usage = { uses: [], blocks: [] };

/** Asks in order; the usage afterwards and what each asking was answered. */
function ask(asked: { at: number; device?: string; command?: string; priority?: Priority }[], factor = 1) {
  let usage = none;
  const waits: number[] = [];
  for (const { at, device = 'a', command = 'x', priority = 'extend' } of asked) {
    const answer = take(usage, { device, command }, priority, start + at, factor);
    waits.push(typeof answer === 'number' ? answer : 0);
    if (typeof answer !== 'number') usage = answer;
  }
  return { usage, waits };
}
const passed = (waits: number[]) => waits.filter((wait) => wait === 0).length;
const spread = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ at: n, device: `d${n}`, command: `c${n % 2}` }));

describe('commands to Google', () => {
  test('are ten a minute, whatever the devices', () => {
    const { usage, waits } = ask(spread(12));
    expect(passed(waits)).toBe(10);
    expect(waits[10]).toBe(minute + 1_000 - 10);
    expect(take(usage, { device: 'x', command: 'y' }, 'extend', start + minute + 1_001, 1)).not.toEqual(
      expect.any(Number),
    );
  });

  test('are five a minute of one kind to one device', () => {
    const { waits } = ask(Array.from({ length: 6 }, (_, n) => ({ at: n })));
    expect(waits).toEqual([0, 0, 0, 0, 0, minute + 1_000 - 5]);
  });

  test('are a hundred an hour to one device', () => {
    const every = 12_000;
    const asked = Array.from({ length: 101 }, (_, n) => ({ at: n * every * 2, command: `c${n % 4}` }));
    const { waits } = ask(asked);
    expect(passed(waits)).toBe(100);
    expect(waits[100]).toBe(hour + 1_000 - 100 * every * 2);
  });

  test('leave room for what comes before them: extensions, then starts, then stops, then pictures', () => {
    const order: Priority[] = ['background', 'stop', 'start', 'extend'];
    const asked = order.flatMap((priority, turn) =>
      spread(12).map(({ at, ...one }) => ({ ...one, at: at + turn * 20, priority })),
    );
    const { waits } = ask(asked);
    expect(order.map((_, turn) => passed(waits.slice(turn * 12, turn * 12 + 12)))).toEqual([4, 1, 2, 3]);
  });

  test.each([
    ['CameraLiveStream.ExtendWebRtcStream', 'extend'],
    ['CameraLiveStream.GenerateRtspStream', 'start'],
    ['CameraLiveStream.StopRtspStream', 'stop'],
  ])('%s is of the kind %s', (command, priority) => {
    expect(priorityOf(command)).toBe(priority);
  });

  test('of cameras that fail to start, however many, leave running streams their extensions', () => {
    const failing = Array.from({ length: 600 }, (_, n) => ({
      at: n * 500,
      device: `off-${n % 40}`,
      command: 'generate',
    }));
    // Ten streams, each extended every 200 s; who is refused asks again when told to.
    const due = Array.from({ length: 10 }, (_, n) => ({
      device: `on-${n}`,
      at: 60_000 + n * 20_000,
      command: 'extend',
    }));
    const asked = [
      ...failing.map((one) => ({ ...one, priority: 'start' as const })),
      ...due.map((one) => ({ ...one, priority: 'extend' as const })),
    ].sort((a, b) => a.at - b.at);
    const { waits } = ask(asked);
    const late = asked
      .map((one, index) => ({ ...one, wait: waits[index] }))
      .filter(({ command }) => command === 'extend');
    expect(late.map(({ wait }) => wait)).toEqual(Array(10).fill(0));
  });

  test('come faster where the project is allowed more', () => {
    expect(ask(spread(12), 60).waits[10]).toBe(Math.ceil((minute + 1_000) / 60 - 10));
  });

  test('are forgotten after an hour', () => {
    const { usage } = ask([{ at: 0 }, { at: hour + 2_000 }]);
    expect(usage.uses).toHaveLength(1);
  });

  test('never exceed a window of Google, whenever it begins', () => {
    const asking = fc.array(
      fc.record({
        at: fc.integer({ min: 0, max: 200_000 }),
        device: fc.constantFrom('a', 'b', 'c'),
        command: fc.constantFrom('x', 'y'),
      }),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(asking, (asked) => {
        const { usage } = ask(asked.sort((a, b) => a.at - b.at));
        for (const { at } of usage.uses) {
          const within = usage.uses.filter((use) => use.at >= at && use.at < at + minute);
          expect(within.length).toBeLessThanOrEqual(10);
          const same = within.filter(({ device, command }) => device === 'a' && command === 'x');
          expect(same.length).toBeLessThanOrEqual(5);
        }
      }),
    );
  });
});

describe('after Google said that it is too much', () => {
  test('the device rests a minute, then two, at most an hour', () => {
    let usage = none;
    const rests: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      usage = block(usage, 'a', start, 1);
      rests.push((usage.blocks[0]?.until as number) - start);
    }
    expect(rests.map((ms) => ms / minute)).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  });

  test('other devices go on, and it does so itself afterwards', () => {
    const usage = block(none, 'a', start, 1);
    const asking = (device: string, at: number) => take(usage, { device, command: 'x' }, 'extend', start + at, 1);
    expect(asking('a', 1)).toBe(minute - 1);
    expect(asking('b', 1)).toMatchObject({ uses: [{ device: 'b' }] });
    expect(asking('a', minute)).toMatchObject({ uses: [{ device: 'a' }] });
  });

  test('an hour without another one starts anew', () => {
    const usage = block(none, 'a', start, 1);
    const later = take(usage, { device: 'a', command: 'x' }, 'extend', start + hour + minute + 1, 1) as Usage;
    expect(later.blocks).toEqual([]);
  });
});
