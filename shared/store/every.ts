import type { Collection, Filter, Stored } from './collection.ts';

const batch = 500;

/** Every record that meets the filter, in order of its id, read in batches. The collection is sortable by `id`. */
export async function* every<T extends Stored>(collection: Collection<T>, filter?: Filter<T>): AsyncGenerator<T> {
  const sort = [{ key: 'id', order: 'asc' }] as const;
  for (let last = ''; ; ) {
    const after = { ...filter, id: { $gt: last } } as unknown as Filter<T>;
    const found = await collection.find(after, { limit: batch, sort });
    yield* found;
    const end = found.at(-1);
    if (!end || found.length < batch) return;
    last = end.id;
  }
}

/** The same, all at once: for filters that few records meet. */
export async function everyOne<T extends Stored>(collection: Collection<T>, filter?: Filter<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of every(collection, filter)) all.push(one);
  return all;
}

/**
 * Acts on each, on at most `limit` at a time. After an error nothing more is begun.
 * @throws the first error, when what had begun is over
 */
export async function sideBySide<T>(
  items: AsyncGenerator<T>,
  limit: number,
  act: (item: T) => Promise<void>,
): Promise<void> {
  // A lane that throws ends the generator for all of them.
  const lane = async () => {
    for await (const item of items) await act(item);
  };
  const lanes = await Promise.allSettled(Array.from({ length: limit }, lane));
  for (const one of lanes) if (one.status === 'rejected') throw one.reason;
}
