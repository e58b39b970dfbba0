import { expect, test } from '@jest/globals';
import { isFresh, nextSync, renewal, retryAt } from './due.rules.ts';

const now = Date.parse('2026-11-21T12:00:00.000Z');
const seconds = (iso: string) => (Date.parse(iso) - now) / 1_000;

test('a token is renewed in the last sixth of its life', () => {
  const { tokensExpireAt, refreshAt, refreshFailures } = renewal(now, 3_600_000);
  expect([seconds(tokensExpireAt), seconds(refreshAt), refreshFailures]).toEqual([3_600, 3_000, 0]);
});

test('failures are repeated ever later, at most five minutes', () => {
  const waits = [0, 1, 2, 3, 8, 500].map((failures) => seconds(retryAt(now, failures, 0.5)));
  expect(waits).toEqual([5, 10, 20, 40, 300, 300]);
  expect([seconds(retryAt(now, 0, 0)), seconds(retryAt(now, 0, 1))]).toEqual([3.75, 6.25]);
});

test('devices are listed about every hour', () => {
  expect([0, 0.5, 1].map((chance) => seconds(nextSync(now, chance)))).toEqual([3_420, 3_600, 3_780]);
});

test('a token about to end is not used', () => {
  const at = (ms: number) => new Date(now + ms).toISOString();
  expect([isFresh(at(1_001), now), isFresh(at(999), now), isFresh(null, now), isFresh(undefined, now)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
