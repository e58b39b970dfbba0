import { Failure } from '../contracts/index.ts';
import type { Collection, Patch, Stored } from './collection.ts';

const usualAttempts = 5;

/**
 * Reads a record, lets `decide` make a patch of it, and writes it unless someone else changed it meanwhile; then again.
 * `decide` may throw to refuse; an empty patch writes nothing.
 * @throws Failure NOT_FOUND, or CONFLICT after so many lost races. @throws Duplicate
 */
export function change<T extends Stored>(
  collection: Collection<T>,
  id: string,
  decide: (current: T) => Patch<T> | Promise<Patch<T>>,
  attempts = usualAttempts,
): Promise<T> {
  return attempted(collection, id, attempts, async (current) => {
    const patch = await decide(current);
    return Object.keys(patch).length === 0 ? current : collection.update(id, current.version, patch);
  });
}

/**
 * Reads a record, lets `decide` throw to refuse, and deletes it unless someone else changed it meanwhile; then again.
 * @throws Failure NOT_FOUND, or CONFLICT after five lost races
 */
export function withdraw<T extends Stored>(
  collection: Collection<T>,
  id: string,
  decide: (current: T) => void | Promise<void>,
): Promise<T> {
  return attempted(collection, id, usualAttempts, async (current) => {
    await decide(current);
    return collection.delete(id, current.version);
  });
}

async function attempted<T extends Stored>(
  collection: Collection<T>,
  id: string,
  attempts: number,
  attempt: (current: T) => Promise<T | null>,
): Promise<T> {
  for (let left = attempts; left > 0; left -= 1) {
    const done = await attempt(found(await collection.get(id)));
    if (done) return done;
  }
  throw new Failure('CONFLICT', 'Someone else is changing this record; try again');
}

/** @throws Failure NOT_FOUND */
export function found<T>(record: T | null): T {
  if (record === null) throw new Failure('NOT_FOUND');
  return record;
}

/** Only the keys that were given: `undefined` in a patch means "as it is". */
export function given<P extends object>(patch: P): { [K in keyof P]: Exclude<P[K], undefined> } {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as never;
}
