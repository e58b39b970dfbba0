import { RateLimiterMemory } from 'rate-limiter-flexible';
import { Failure } from '../../shared/contracts/index.ts';

const minute = 60;

export interface Limit {
  /** @throws Failure RATE_LIMITED with the seconds after which it is worth trying again */
  take(key: string): Promise<void>;
}

const unlimited: Limit = { take: () => Promise.resolve() };

/** So many per minute and key, counted in this process; 0 is no limit. Idle keys are forgotten after a minute. */
export function perMinute(points: number, name: string): Limit {
  if (points === 0) return unlimited;
  const limiter = new RateLimiterMemory({ points, duration: minute, keyPrefix: name });
  return {
    async take(key) {
      try {
        await limiter.consume(key);
      } catch (rejected) {
        const { msBeforeNext } = rejected as { msBeforeNext: number };
        throw new Failure('RATE_LIMITED', undefined, { retryAfter: Math.max(1, Math.ceil(msBeforeNext / 1_000)) });
      }
    },
  };
}
