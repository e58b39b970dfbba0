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
