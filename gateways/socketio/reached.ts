import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../../shared/contracts/index.ts';

/** Milliseconds for which services are asked again that cannot be reached: after NATS was away they have to be found. */
const askedFor = 3_000;
const pauseMs = 200;

/** Questions about rooms that run at the same time. */
const atOnce = 20;

/** Asks about each, about some at the same time. @throws what one of them rejects with */
export async function askAll<T>(all: readonly T[], ask: (one: T) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < all.length; from += atOnce) await Promise.all(all.slice(from, from + atOnce).map(ask));
}

/** What `ask` resolves to; asked again while services cannot be reached. @throws what it rejects with otherwise */
export async function reached<T>(ask: () => Promise<T>): Promise<T> {
  const until = Date.now() + askedFor;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const unreached = error instanceof Failure && error.type === 'UNAVAILABLE';
      if (!unreached || Date.now() > until) throw error;
    }
    await pause(pauseMs);
  }
}
