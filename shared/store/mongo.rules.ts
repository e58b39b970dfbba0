import type { IndexDescription } from 'mongodb';
import type { CollectionSpec, Filter, Patch, Stored } from './collection.ts';
import { conditionOf, folded } from './list.rules.ts';
import { storedValues } from './record.rules.ts';

/** What the MongoDB store sends: queries, updates and indexes, made without a connection. */
export type MongoQuery = Record<string, unknown>;

/** A filter as a query. A unique key is looked up where its index is, unless null, which that index leaves out. */
export function queryOf<T extends Stored>(spec: CollectionSpec<T>, filter: Filter<T>): MongoQuery {
  const parts = Object.entries(filter).map(([key, value]): MongoQuery => {
    if (key === '$or') return anyOf((value as readonly Filter<T>[]).map((part) => queryOf(spec, part)));
    const condition = conditionOf(key, value);
    const values = condition.operator === '$in' ? (condition.value as unknown[]) : [condition.value];
    const indexed = spec.unique?.some((unique) => unique === key) && !values.includes(null);
    const path = key === 'id' ? '_id' : indexed ? `_unique.${key}` : key;
    return { [path]: { [condition.operator]: condition.value } };
  });
  return allOf(parts);
}

export function allOf(parts: readonly MongoQuery[]): MongoQuery {
  const asking = parts.filter((part) => Object.keys(part).length > 0);
  return asking.length > 1 ? { $and: asking } : (asking[0] ?? {});
}

/** MongoDB refuses an empty `$or`; here it finds nothing. */
function anyOf(parts: readonly MongoQuery[]): MongoQuery {
  return parts.length > 0 ? { $or: parts } : { _id: { $in: [] } };
}

/** Search as a query over the lower-case shadows; an anchored expression walks only its part of the index. */
export function searchQuery<T extends Stored>(spec: CollectionSpec<T>, search: string | null): MongoQuery {
  if (!search) return {};
  // BSON's expressions end at a NUL; no text that is searched holds one.
  if (search.includes('\0')) return anyOf([]);
  const plain = search.toLowerCase().replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const expression = new RegExp(spec.search?.match === 'contains' ? plain : `^${plain}`);
  return anyOf((spec.search?.keys ?? []).map((key) => ({ [`_search.${key}`]: expression })));
}

export function searchValues<T extends Stored>(
  spec: CollectionSpec<T>,
  values: Record<string, unknown>,
): Record<string, unknown> {
  const shadows = (spec.search?.keys ?? []).map((key) => [key, folded(values[key])] as const);
  return Object.fromEntries(shadows.filter(([, shadow]) => shadow !== null));
}

/** A patch as an update of the document and of the shadows of what changes. */
export function updateOf<T extends Stored>(spec: CollectionSpec<T>, patch: Patch<T>, now: string): MongoQuery {
  const values = storedValues(patch);
  const set: Record<string, unknown> = { ...values, updatedAt: now };
  const unset: Record<string, unknown> = {};
  const shadow = (path: string, value: unknown) => {
    if (value === null) unset[path] = '';
    else set[path] = value;
  };
  for (const key of spec.unique ?? []) if (key in values) shadow(`_unique.${key}`, values[key]);
  for (const key of spec.search?.keys ?? []) if (key in values) shadow(`_search.${key}`, folded(values[key]));
  return { $set: set, $inc: { version: 1 }, ...(Object.keys(unset).length > 0 ? { $unset: unset } : {}) };
}

/**
 * Both directions of a sort key are indexes of their own: the newest come first in either, so that one index read
 * backwards would not do. A name says all that its index is, so that a changed spec makes another one.
 */
export function indexesOf<T extends Stored>(spec: CollectionSpec<T>): IndexDescription[] {
  const indexes = (spec.unique ?? []).map((key): IndexDescription => {
    return { name: `unique_${key}`, key: { [`_unique.${key}`]: 1 }, unique: true, sparse: true };
  });
  for (const key of ['createdAt', ...spec.sortable.filter((one) => one !== 'createdAt' && one !== 'id')]) {
    for (const direction of [1, -1] as const) {
      const path = key === 'createdAt' ? { createdAt: direction } : { [key]: direction, createdAt: -1 as const };
      indexes.push({ name: `sort_${key}_${direction}`, key: { ...path, _id: 1 } });
    }
  }
  for (const key of spec.search?.keys ?? []) indexes.push({ name: `search_${key}`, key: { [`_search.${key}`]: 1 } });
  for (const keys of spec.indexes ?? []) {
    const path = Object.fromEntries(keys.map((key) => [key === 'id' ? '_id' : key, 1 as const]));
    indexes.push({ name: `find_${keys.join('_')}`, key: path });
  }
  return indexes;
}

/** The unique key at fault in a duplicate key error (code 11000), from the name of its index; `id` for `_id_`. */
export function duplicateOf(message: string): string {
  return /index: (?:\S*\.\$)?unique_(\w+)/.exec(message)?.[1] ?? 'id';
}
