import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Failure } from '../../shared/contracts/index.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { keepTrying } from './keep.trying.ts';

let warned: unknown[];
const log = { warn: (fields: unknown) => warned.push(fields) } as unknown as Log;

beforeEach(() => {
  jest.useFakeTimers();
  warned = [];
});
afterEach(() => {
  jest.useRealTimers();
});

/** Fails so many times with an error of this type. @returns how often it was tried */
async function tried(failures: number, type: 'UNAVAILABLE' | 'UNAUTHORIZED'): Promise<number> {
  let attempts = 0;
  const trying = keepTrying(
    async () => {
      attempts += 1;
      if (attempts <= failures) throw new Failure(type);
    },
    'ann',
    log,
  );
  await jest.advanceTimersByTimeAsync(15_000);
  await trying;
  return attempts;
}

test('it is tried until it succeeds', async () => {
  expect([await tried(0, 'UNAVAILABLE'), await tried(2, 'UNAVAILABLE'), warned]).toEqual([1, 3, []]);
});

test('it is given up after ten attempts, with a warning', async () => {
  expect(await tried(100, 'UNAVAILABLE')).toBe(10);
  expect(warned).toMatchObject([{ userId: 'ann' }]);
});

test('it is not tried again for a user who may not be here', async () => {
  expect([await tried(100, 'UNAUTHORIZED'), warned]).toEqual([1, []]);
});
