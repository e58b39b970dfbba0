import type { Collection as DriverCollection, FindOneAndUpdateOptions } from 'mongodb';
import type { Collection, CollectionSpec, Filter, Fresh, ListQuery, Page, Patch, Stored } from './collection.ts';
import { checkLimit, orderOf } from './list.rules.ts';
import { answered } from './mongo.errors.ts';
import { allOf, type MongoQuery, queryOf, searchQuery, searchValues, updateOf } from './mongo.rules.ts';
import { freshDocument, type StoredDocument, toRecord } from './record.rules.ts';

/** The server's own bound of one operation, below the client's, so that it stops working for nobody. */
const SERVER_MS = 4_000;
const BOUND = { maxTimeMS: SERVER_MS } as const;
const AFTER: FindOneAndUpdateOptions & { includeResultMetadata: false } = {
  ...BOUND,
  returnDocument: 'after',
  includeResultMetadata: false,
};
/** Looks again at a record that changed between a change that did not fit and the look at why. */
const ATTEMPTS = 5;
/** What an array that was not changed says about the change: not needed, not allowed, or possible by now. */
type Verdict = (values: readonly string[]) => 'as it is' | 'no' | 'again';

/** One collection on MongoDB: every change is one command on one document. */
export class MongoCollection<T extends Stored> implements Collection<T> {
  readonly #spec: CollectionSpec<T>;
  readonly #documents: DriverCollection<StoredDocument>;

  constructor(spec: CollectionSpec<T>, documents: DriverCollection<StoredDocument>) {
    this.#spec = spec;
    this.#documents = documents;
  }

  async insert(record: Fresh<T>): Promise<T> {
    const document = freshDocument(this.#spec, record, new Date().toISOString());
    const stored = { ...document, _search: searchValues(this.#spec, document) };
    await this.#ask((documents) => documents.insertOne(stored, BOUND));
    return toRecord<T>(document);
  }

  async get(id: string): Promise<T | null> {
    const document = await this.#ask((documents) => documents.findOne({ _id: { $eq: id } }, BOUND));
    return document && toRecord<T>(document);
  }

  async find(filter: Filter<T>, options: { limit: number; sort?: ListQuery['sortBy'] }): Promise<T[]> {
    const limit = checkLimit(options.limit);
    const sort = options.sort ? { sort: Object.fromEntries(orderOf(this.#spec, options.sort)) } : {};
    const query = queryOf(this.#spec, filter);
    const found = await this.#ask((documents) => documents.find(query, { ...BOUND, ...sort, limit }).toArray());
    return found.map((document) => toRecord<T>(document));
  }

  async count(filter: Filter<T>): Promise<number> {
    const query = queryOf(this.#spec, filter);
    return this.#ask((documents) => documents.countDocuments(query, BOUND));
  }

  async list(query: ListQuery, filter: Filter<T> = {}): Promise<Page<T>> {
    const { page, itemsPerPage } = query;
    const wanted = allOf([queryOf(this.#spec, filter), searchQuery(this.#spec, query.search)]);
    const sort = Object.fromEntries(orderOf(this.#spec, query.sortBy));
    const options = { ...BOUND, sort, skip: (page - 1) * itemsPerPage, limit: itemsPerPage };
    const [items, total] = await Promise.all([
      this.#ask((documents) => documents.find(wanted, options).toArray()),
      this.#ask((documents) => documents.countDocuments(wanted, BOUND)),
    ]);
    return { items: items.map((document) => toRecord<T>(document)), total, page, itemsPerPage };
  }

  async update(id: string, version: number, patch: Patch<T>): Promise<T | null> {
    return this.#change({ _id: { $eq: id }, version: { $eq: version } }, updateOf(this.#spec, patch, now()));
  }

  async delete(id: string, version?: number): Promise<T | null> {
    const query: MongoQuery = { _id: { $eq: id }, ...(version === undefined ? {} : { version: { $eq: version } }) };
    const options = { ...BOUND, includeResultMetadata: false } as const;
    const deleted = await this.#ask((documents) => documents.findOneAndDelete(query, options));
    return deleted && toRecord<T>(deleted);
  }

  async deleteMany(filter: Filter<T>): Promise<number> {
    const query = queryOf(this.#spec, filter);
    return (await this.#ask((documents) => documents.deleteMany(query, BOUND))).deletedCount;
  }

  async add<K extends keyof T & string>(id: string, key: K, value: string, max: number): Promise<T | null> {
    const room = { [key]: { $ne: value }, [`${key}.${max - 1}`]: { $exists: false } };
    const verdict: Verdict = (values) => {
      if (values.includes(value)) return 'as it is';
      return values.length >= max ? 'no' : 'again';
    };
    return this.#changeArray(id, key, max < 1 ? null : room, { $push: { [key]: value } }, verdict);
  }

  async remove<K extends keyof T & string>(id: string, key: K, value: string, min: number): Promise<T | null> {
    const enough = { [key]: { $eq: value }, [`${key}.${Math.max(min, 0)}`]: { $exists: true } };
    const verdict: Verdict = (values) => {
      if (values.length < min) return 'no';
      if (!values.includes(value)) return 'as it is';
      return values.length === min ? 'no' : 'again';
    };
    return this.#changeArray(id, key, enough, { $pull: { [key]: value } }, verdict);
  }

  /** Condition and change are one command; where the condition does not hold, a read tells why. */
  async #changeArray(
    id: string,
    key: keyof T & string,
    condition: MongoQuery | null,
    change: MongoQuery,
    verdict: Verdict,
  ): Promise<T | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const update = { ...change, $set: { updatedAt: now() }, $inc: { version: 1 } };
      const changed = condition && (await this.#change({ _id: { $eq: id }, ...condition }, update));
      if (changed) return changed;
      const current = await this.get(id);
      const next = current ? verdict((current[key] ?? []) as string[]) : 'no';
      if (next !== 'again') return next === 'no' ? null : current;
    }
    return null;
  }

  async #change(query: MongoQuery, update: MongoQuery): Promise<T | null> {
    const changed = await this.#ask((documents) => documents.findOneAndUpdate(query, update, AFTER));
    return changed && toRecord<T>(changed);
  }

  #ask<R>(operation: (documents: DriverCollection<StoredDocument>) => Promise<R>): Promise<R> {
    return answered(this.#spec.name, () => operation(this.#documents));
  }
}

const now = (): string => new Date().toISOString();
