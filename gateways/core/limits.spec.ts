import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Bus } from '../../shared/fanout/bus.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { perMinuteOfAll } from './limits.ts';

type Shared = Awaited<ReturnType<typeof perMinuteOfAll>>;
let bus: Bus;
let limits: Shared[];
const open = async (points: number, name = 'test') => {
  const limit = await perMinuteOfAll(points, name, bus);
  limits.push(limit);
  return limit;
};
/** How many of the requests are let through. */
async function through(limit: Shared, key: string, times: number): Promise<number> {
  const outcomes = await Promise.allSettled(Array.from({ length: times }, () => limit.take(key)));
  return outcomes.filter(({ status }) => status === 'fulfilled').length;
}
const heard = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

beforeEach(() => {
  bus = memoryBus();
  limits = [];
});
afterEach(async () => {
  jest.useRealTimers();
  await Promise.all(limits.map((limit) => limit.stop()));
  await bus.close();
});

describe('a limit over all gateways', () => {
  test('lets through what is left over by the others', async () => {
    const [a, b] = [await open(40), await open(40)];
    expect(await through(a, 'k', 30)).toBe(30);
    await heard();
    expect(await through(b, 'k', 30)).toBe(10);
    expect(await through(b, 'other', 30)).toBe(30);
  });

  test('tells of little after a while, and not at all where there was nothing', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'performance'] });
    const told = jest.spyOn(bus, 'notify');
    const [a, b] = [await open(100), await open(100)];
    await a.take('k');
    await a.take('k');
    expect(told).not.toHaveBeenCalled();
    jest.advanceTimersByTime(100);
    expect(told).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(10_000);
    expect(told).toHaveBeenCalledTimes(1);
    await heard();
    expect(await through(b, 'k', 200)).toBe(98);
  });

  test('overruns by a twentieth per further gateway where requests come by turns', async () => {
    const gateways = [await open(100), await open(100), await open(100)];
    let total = 0;
    for (let n = 0; n < 300; n++) {
      total += await through(gateways[n % 3] as Shared, 'k', 1);
      await heard();
    }
    expect(total).toBeGreaterThanOrEqual(100);
    expect(total).toBeLessThanOrEqual(110);
  });

  test('says in how many seconds it is worth trying again', async () => {
    const limit = await open(1);
    await limit.take('k');
    await expect(limit.take('k')).rejects.toMatchObject({ type: 'RATE_LIMITED', data: { retryAfter: 60 } });
  });

  test('of another name is another limit, and 0 is none', async () => {
    const [a, b, none] = [await open(1, 'a'), await open(1, 'b'), await open(0)];
    expect([await through(a, 'k', 2), await through(b, 'k', 2), await through(none, 'k', 500)]).toEqual([1, 1, 500]);
  });

  test('leaves what was counted to the others when a gateway stops', async () => {
    const [a, b] = [await open(100), await open(100)];
    await through(a, 'k', 4);
    await a.stop();
    await heard();
    expect(await through(b, 'k', 200)).toBe(96);
  });
});
