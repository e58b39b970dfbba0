import { randomUUID } from 'node:crypto';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { Failure } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import { Counts, type Told } from './limits.rules.ts';

const minute = 60;
/** Milliseconds after which gateways tell each other what they counted. */
const tellEveryMs = 100;
/** A key that used this part of its limit untold is told of at once. */
const urgentPart = 20;
/** Keys in one notice: about 100 KB. */
const maxTold = 1_000;

export interface Limit {
  /** @throws Failure RATE_LIMITED with the seconds after which it is worth trying again */
  take(key: string): Promise<void>;
}

export interface SharedLimit extends Limit {
  /** Counts nothing. @throws Failure as `take` would */
  look(key: string): void;
  stop(): Promise<void>;
}

const unlimited: SharedLimit = { take: () => Promise.resolve(), look: () => {}, stop: () => Promise.resolve() };

const refusal = (milliseconds: number) =>
  new Failure('RATE_LIMITED', undefined, { retryAfter: Math.max(1, Math.ceil(milliseconds / 1_000)) });

/** So many per minute and key, counted in this process; 0 is no limit. Idle keys are forgotten after a minute. */
export function perMinute(points: number, name: string): Limit {
  if (points === 0) return unlimited;
  const limiter = new RateLimiterMemory({ points, duration: minute, keyPrefix: name });
  return {
    async take(key) {
      try {
        await limiter.consume(key);
      } catch (rejected) {
        throw refusal((rejected as { msBeforeNext: number }).msBeforeNext);
      }
    },
  };
}

interface Notice {
  from: string;
  told: Told[];
}

/**
 * So many per minute and key over all processes that count under this name; 0 is no limit. No request waits for
 * another process: each tells the others what it counted, after 100 ms, at once where that is a twentieth of the limit.
 * So together they let through at most the limit, a twentieth of it more per further process, and what they let
 * through while notices are on their way. A process that the others cannot be heard by counts for itself.
 */
export async function perMinuteOfAll(
  points: number,
  name: string,
  bus: Pick<Bus, 'notify' | 'listen'>,
): Promise<SharedLimit> {
  if (points === 0) return unlimited;
  const self = randomUUID();
  const topic = `limits.${name}`;
  const counts = new Counts(points, Math.max(1, Math.floor(points / urgentPart)));
  let timer: NodeJS.Timeout | undefined;

  function tell(): void {
    clearTimeout(timer);
    timer = undefined;
    for (;;) {
      const told = counts.tell(performance.now(), maxTold);
      if (told.length > 0) bus.notify(topic, { from: self, told } satisfies Notice);
      if (told.length < maxTold) return;
    }
  }

  const following = await bus.listen(topic, (data) => {
    const { from, told } = data as Notice;
    if (from === self) return;
    const now = performance.now();
    for (const one of told) counts.hear(one, now);
  });

  return {
    async take(key) {
      const { refusedFor, urgent } = counts.take(key, performance.now());
      if (refusedFor !== undefined) throw refusal(refusedFor);
      if (urgent) tell();
      else timer ??= setTimeout(tell, tellEveryMs).unref();
    },
    look(key) {
      const refusedFor = counts.refusedFor(key, performance.now());
      if (refusedFor !== undefined) throw refusal(refusedFor);
    },
    async stop() {
      tell();
      await following.stop();
    },
  };
}
