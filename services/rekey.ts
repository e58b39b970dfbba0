import type { Log } from '../shared/runtime/log.ts';
import { type Vault, VaultError } from '../shared/runtime/vault.ts';
import type { Collection, Patch, Stored } from '../shared/store/collection.ts';

/** A sealed text of a record: where it belongs, and the change that puts another one in its place. */
export interface SealedText<T extends Stored> {
  /** None where it is null or absent. */
  sealed: string | null | undefined;
  context: string;
  put(anew: string): Patch<T>;
}

export interface Rekeyed {
  records: number;
  resealed: number;
  unreadable: number;
  next: string | null;
}

const batch = 100;
const byId = [{ key: 'id', order: 'asc' }] as const;

/** The sealed texts that lie under keys of the record itself. */
export const textsUnder =
  <T extends Stored>(keys: readonly { key: keyof Omit<T, keyof Stored> & string; context(id: string): string }[]) =>
  (record: T): SealedText<T>[] =>
    keys.map(({ key, context }) => ({
      sealed: record[key] as string | null | undefined,
      context: context(record.id),
      put: (anew) => ({ [key]: anew }) as Patch<T>,
    }));

/**
 * Seals the texts of a collection anew with the first key. Nothing is lost where others write meanwhile: a record is
 * changed only as it was read.
 */
export function rekeyer<T extends Stored>(
  collection: Collection<T>,
  textsOf: (record: T) => SealedText<T>[],
  vault: Vault,
  log: Log,
) {
  /** What has to be sealed anew of a record, and how much of it cannot be. */
  function patchOf(record: T): { patch: Patch<T>; resealed: number; unreadable: number } {
    const found = { patch: {} as Patch<T>, resealed: 0, unreadable: 0 };
    for (const { sealed, context, put } of textsOf(record)) {
      if (!sealed) continue;
      try {
        const anew = vault.reseal(sealed, context);
        if (anew === null) continue;
        Object.assign(found.patch, put(anew));
        found.resealed += 1;
      } catch (error) {
        if (!(error instanceof VaultError)) throw error;
        log.warn({ context, reason: error.reason }, 'a sealed text does not open');
        found.unreadable += 1;
      }
    }
    return found;
  }

  async function one(record: T): Promise<{ resealed: number; unreadable: number }> {
    for (let current: T | null = record; current; current = await collection.get(record.id)) {
      const { patch, resealed, unreadable } = patchOf(current);
      if (resealed === 0 || (await collection.update(current.id, current.version, patch))) {
        return { resealed, unreadable };
      }
    }
    return { resealed: 0, unreadable: 0 };
  }

  return {
    one,
    /** A batch of records with ids above `after`. The collection must be sortable by `id`. */
    async batch(after: string): Promise<Rekeyed> {
      const filter = { id: { $gt: after } } as Parameters<typeof collection.find>[0];
      const records = await collection.find(filter, { limit: batch, sort: byId });
      const total: Rekeyed = { records: records.length, resealed: 0, unreadable: 0, next: null };
      for (const record of records) {
        const { resealed, unreadable } = await one(record);
        total.resealed += resealed;
        total.unreadable += unreadable;
      }
      return { ...total, next: records.length < batch ? null : (records.at(-1)?.id ?? null) };
    },
  };
}
