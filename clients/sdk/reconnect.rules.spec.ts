import { describe, expect, test } from '@jest/globals';
import { delayBefore, mayRetry } from './reconnect.rules.ts';

describe('the wait before an attempt', () => {
  test('doubles up to its bound and is spread by half', () => {
    const waits = [1, 2, 3, 4, 5, 1_000].map((attempt) => delayBefore(attempt, {}, {}, 1));
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    expect(delayBefore(5, {}, {}, 0)).toBe(2_500);
    expect(delayBefore(1, {}, { minDelayMs: 10, maxDelayMs: 5 }, 1)).toBe(5);
  });

  test('is as long as the server asks, at most a minute', () => {
    expect(delayBefore(1, { retryAfter: 7 }, {}, 0)).toBe(7_000);
    expect(delayBefore(1, { retryAfter: 1e9 }, {}, 0)).toBe(60_000);
  });
});

describe('another attempt', () => {
  const state = { attempt: 2, refusals: 0, renewable: false };

  test('follows a loss, a server that is not there and one that asks to wait, without end', () => {
    for (const code of ['DISCONNECTED', 'UNAVAILABLE', 'RATE_LIMITED', 'TIMEOUT', 'REFUSED'] as const) {
      expect(mayRetry({ code }, { ...state, attempt: 1e6 }, {})).toBe(true);
    }
  });

  test('does not follow a refusal, but for a token that can be renewed, once', () => {
    expect(mayRetry({ code: 'FORBIDDEN' }, { ...state, renewable: true }, {})).toBe(false);
    expect(mayRetry({ code: 'UNAUTHORIZED' }, { ...state, refusals: 1 }, {})).toBe(false);
    expect(mayRetry({ code: 'UNAUTHORIZED' }, { ...state, refusals: 1, renewable: true }, {})).toBe(true);
    expect(mayRetry({ code: 'UNAUTHORIZED' }, { ...state, refusals: 2, renewable: true }, {})).toBe(false);
  });

  test('ends with the attempts that were allowed', () => {
    expect(mayRetry({ code: 'UNAVAILABLE' }, { ...state, attempt: 3 }, { attempts: 3 })).toBe(true);
    expect(mayRetry({ code: 'UNAVAILABLE' }, { ...state, attempt: 4 }, { attempts: 3 })).toBe(false);
  });
});
