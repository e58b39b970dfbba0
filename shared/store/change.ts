import { Failure } from '../contracts/index.ts';
import type { Collection, Patch, Stored } from './collection.ts';

const attempts = 5;

/**
 * Reads a record, lets `decide` make a patch of it, and writes it unless someone else changed it meanwhile; then again.
 * `decide` may throw to refuse; an empty patch writes nothing.
 * @throws Failure NOT_FOUND, or CONFLICT after five lost races. @throws Duplicate
 */
export async function change<T extends Stored>(
  collection: Collection<T>,
  id: string,
  decide: (current: T) => Patch<T> | Promise<Patch<T>>,
): Promise<T> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const current = await collection.get(id);
    if (!current) throw new Failure('NOT_FOUND');
    const patch = await decide(current);
    if (Object.keys(patch).length === 0) return current;
    const changed = await collection.update(id, current.version, patch);
    if (changed) return changed;
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
