import { randomUUID } from 'node:crypto';
import type { CollectionSpec, Fresh, Patch, Stored } from './collection.ts';

/** A record as both stores keep it: `_id` for `id`, and what unique indexes and searches compare beside it. */
export interface StoredDocument {
  _id: string;
  createdAt: string;
  updatedAt: string;
  version: number;
  /** The values of unique keys, without null and absent ones: a sparse index over them does not compare those. */
  _unique?: Record<string, unknown>;
  [key: string]: unknown;
}

const RESERVED: ReadonlySet<string> = new Set(['id', '_id', 'createdAt', 'updatedAt', 'version', '_unique', '_search']);

/**
 * The document of a new record, version 1.
 * @throws RangeError an id that is empty or that no object can have as a key
 */
export function freshDocument<T extends Stored>(
  spec: CollectionSpec<T>,
  record: Fresh<T>,
  now: string,
): StoredDocument {
  const id = record.id ?? randomUUID();
  if (id === '' || id === '__proto__') throw new RangeError(`not an id: "${id}"`);
  const values = storedValues(record);
  return { _id: id, ...values, _unique: uniqueValues(spec, values), createdAt: now, updatedAt: now, version: 1 };
}

/** What a record or patch sets, ready to store: no undefined, nothing the collection sets itself, keys escaped. */
export function storedValues(record: object): Record<string, unknown> {
  const entries = Object.entries(record).filter(([key, value]) => value !== undefined && !RESERVED.has(key));
  return Object.fromEntries(entries.map(([key, value]) => [key, mapKeys(value, escapeKey)]));
}

/** The document after a patch: one version on. */
export function patchedDocument<T extends Stored>(
  spec: CollectionSpec<T>,
  current: StoredDocument,
  patch: Patch<T>,
  now: string,
): StoredDocument {
  const next = { ...current, ...storedValues(patch), updatedAt: now, version: current.version + 1 };
  return { ...next, _unique: uniqueValues(spec, next) };
}

export function uniqueValues<T extends Stored>(
  spec: CollectionSpec<T>,
  values: Record<string, unknown>,
): Record<string, unknown> {
  const keys = (spec.unique ?? []).filter((key) => values[key] !== null && values[key] !== undefined);
  return Object.fromEntries(keys.map((key) => [key, values[key]]));
}

/** A record of its own for the caller, who may change it: nothing of the stored document is shared. */
export function toRecord<T extends Stored>(document: StoredDocument): T {
  const record: Record<string, unknown> = { id: document._id };
  for (const key in document) {
    if (key === '_id' || key === '_unique' || key === '_search') continue;
    const value = document[key];
    record[key] = typeof value === 'object' && value !== null ? mapKeys(value, unescapeKey) : value;
  }
  return record as unknown as T;
}

/**
 * Free-form data of clients may have any keys, yet neither store takes all: NeDB refuses dots and a leading `$`
 * anywhere, MongoDB before 5.0 a leading `$`; BSON has no NUL in keys, and its library takes what has `_bsontype` for one
 * of its own. Such keys are stored percent-escaped.
 */
const unstorable = /[%.\0]|^\$|^_(?=bsontype$)/g;

const escapeKey = (key: string): string =>
  key.replace(unstorable, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);

function unescapeKey(key: string): string {
  return key.includes('%')
    ? key.replace(/%(00|24|25|2E|5F)/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
    : key;
}

/** A deep copy of a JSON value with every key of its objects mapped. */
function mapKeys(value: unknown, map: (key: string) => string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => mapKeys(item, map));
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) if (item !== undefined) copy[map(key)] = mapKeys(item, map);
  return copy;
}
