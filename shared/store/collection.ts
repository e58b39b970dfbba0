/**
 * What a service's store is built on. MongoDB and files implement it (`mongo.collections.ts`, `file.collections.ts`);
 * `collection.suite.ts` is the suite both pass. Every change is one atomic change of one document: no transactions.
 */

/** What every stored record has. `version` starts at 1 and grows by 1 with each change. */
export interface Stored {
  id: string;
  /** ISO 8601, UTC; set by the collection. */
  createdAt: string;
  updatedAt: string;
  version: number;
}

/** A record to insert: an `id` may be given, else a random one is made. */
export type Fresh<T extends Stored> = Omit<T, keyof Stored> & { id?: string };
export type Patch<T extends Stored> = Partial<Omit<T, keyof Stored>>;
type KeyOf<T> = keyof T & string;

export interface CollectionSpec<T extends Stored> {
  readonly name: string;
  /** Keys whose values are unique among records; null and absent values are not compared. */
  readonly unique?: readonly KeyOf<T>[];
  /** Keys `list` may sort by; indexed. */
  readonly sortable: readonly KeyOf<T>[];
  /** What `search` of `list` looks into, ignoring case: from the start of a value, or anywhere in it. */
  readonly search?: { readonly keys: readonly KeyOf<T>[]; readonly match: 'prefix' | 'contains' };
  /** Further indexes for `find` and filters. */
  readonly indexes?: readonly (readonly KeyOf<T>[])[];
}

/** Written by services only, never taken from a client. An equality on an array key means "contains". */
export type Filter<T extends Stored> = {
  [K in KeyOf<T>]?:
    | T[K]
    | (T[K] extends readonly (infer E)[] ? E : never)
    | { $in: readonly unknown[] }
    | { $lt: T[K] }
    | { $gt: T[K] };
} & { $or?: readonly Filter<T>[] };

export interface ListQuery {
  page: number;
  itemsPerPage: number;
  sortBy: readonly { key: string; order: 'asc' | 'desc' }[];
  search: string | null;
}

export interface Page<T> {
  items: T[];
  total: number;
  page: number;
  itemsPerPage: number;
}

/** Thrown by insert and update: another record has this value at a unique key. */
export class Duplicate extends Error {
  readonly key: string;
  constructor(key: string) {
    super(`duplicate ${key}`);
    this.name = 'Duplicate';
    this.key = key;
  }
}

/** Thrown by every method when the store does not answer within its bound. */
export class StoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnavailable';
  }
}

export interface Collection<T extends Stored> {
  /** @throws Duplicate */
  insert(record: Fresh<T>): Promise<T>;
  get(id: string): Promise<T | null>;
  /** At most `limit` (1–1000) records; `sort` as in list. */
  find(filter: Filter<T>, options: { limit: number; sort?: ListQuery['sortBy'] }): Promise<T[]>;
  count(filter: Filter<T>): Promise<number>;
  /** Sorted by `sortBy`, then newest first, then id, so that pages never overlap. */
  list(query: ListQuery, filter?: Filter<T>): Promise<Page<T>>;
  /** Null where the record is gone or no longer has this version. @throws Duplicate */
  update(id: string, version: number, patch: Patch<T>): Promise<T | null>;
  /** The deleted record; null where it is gone or, with a version, has another one. */
  delete(id: string, version?: number): Promise<T | null>;
  deleteMany(filter: Filter<T>): Promise<number>;
  /** Adds to an array unless it is there; null where the record is gone or holds `max` values already. */
  add<K extends KeyOf<T>>(id: string, key: K, value: string, max: number): Promise<T | null>;
  /** Takes out of an array; null where the record is gone or fewer than `min` values would stay. */
  remove<K extends KeyOf<T>>(id: string, key: K, value: string, min: number): Promise<T | null>;
}

/** A change to stored data that runs once per store, under a lock, in order of its id. */
export interface Migration {
  /** Sorts: `2026-11-21-what-it-does`. */
  readonly id: string;
  run(stores: Collections): Promise<void>;
}

export interface Collections {
  /** Opens a collection; its indexes exist when this resolves. Called again with the same name, the same collection. */
  collection<T extends Stored>(spec: CollectionSpec<T>): Promise<Collection<T>>;
  migrate(migrations: readonly Migration[]): Promise<void>;
  /** Whether the store answers now. Never throws, at most 1 s. */
  healthy(): Promise<boolean>;
  close(): Promise<void>;
}
