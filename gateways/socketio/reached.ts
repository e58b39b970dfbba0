import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../../shared/contracts/index.ts';

/** Milliseconds for which services are asked again that cannot be reached: after NATS was away they have to be found. */
const askedFor = 3_000;
const pauseMs = 200;

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
