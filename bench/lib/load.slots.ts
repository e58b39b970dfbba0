import { setTimeout as delay } from 'node:timers/promises';
import type { LoadOptions, LoadResult } from './load.types.ts';
import { Measure } from './measure.ts';

/** Asks once in a slot, in which one request is under way at a time; resolves with whether it was answered well. */
export type Ask = (slot: number, entity: string) => Promise<boolean>;

/** Keeps `inFlight` slots busy, warms up, measures. */
export async function loadSlots(options: LoadOptions, ask: Ask): Promise<LoadResult> {
  const { ids, inFlight } = options;
  let measure = new Measure(options);
  let running = true;
  let turn = 0;
  const slots = Array.from({ length: inFlight }, async (_, slot) => {
    while (running) {
      const started = performance.now();
      const good = await ask(slot, ids[turn++ % ids.length] as string);
      measure.answered(performance.now() - started);
      if (!good) measure.failures += 1;
    }
  });
  await delay(options.warmupMs);
  measure = new Measure(options);
  await delay(options.durationMs);
  const result = measure.result();
  running = false;
  await Promise.race([Promise.all(slots), delay(2_000)]);
  return result;
}
