import { OPERATION_MS, Serial, within } from './bounds.ts';
import {
  type Collection,
  type CollectionSpec,
  Duplicate,
  type Filter,
  type Fresh,
  type ListQuery,
  type Page,
  type Patch,
  type Stored,
  StoreUnavailable,
} from './collection.ts';
import { candidates, documentOf, duplicateKey, type Engine, isUniqueViolation } from './file.engine.ts';
import { SortedViews } from './file.views.ts';
import { checkLimit, comparator, matches, orderOf, searcher } from './list.rules.ts';
import { freshDocument, patchedDocument, type StoredDocument, toRecord } from './record.rules.ts';

const MAX_WAITING = 10_000;
/** A data file holds at most this many lines beside five for each record. */
const COMPACT_AFTER = 20_000;

/**
 * One collection on NeDB. Reads look into its memory at once; changes go one after another, each decided and made
 * before the next, and are answered when their line is with the operating system.
 */
export class FileCollection<T extends Stored> implements Collection<T> {
  readonly #engine: Engine;
  readonly #spec: CollectionSpec<T>;
  readonly #views: SortedViews;
  readonly #changes = new Serial(MAX_WAITING);
  #lines = 0;
  /** A line may have reached the file in part: the next change writes the whole file anew first. */
  #torn = false;
  #closed = false;

  constructor(spec: CollectionSpec<T>, engine: Engine) {
    this.#spec = spec;
    this.#engine = engine;
    this.#views = new SortedViews(() => engine.getAllData());
  }

  async insert(record: Fresh<T>): Promise<T> {
    return this.#change(async () => {
      const document = freshDocument(this.#spec, record, new Date().toISOString());
      await this.#engine.insertAsync(document).catch((error: unknown) => this.#refuse(error, document));
      this.#views.replace(null, documentOf(this.#engine, document._id));
      return toRecord<T>(document);
    });
  }

  async get(id: string): Promise<T | null> {
    this.#open();
    const document = documentOf(this.#engine, id);
    return document && toRecord<T>(document);
  }

  async find(filter: Filter<T>, options: { limit: number; sort?: ListQuery['sortBy'] }): Promise<T[]> {
    const limit = checkLimit(options.limit);
    const found = this.#select(filter);
    if (options.sort) found.sort(comparator(orderOf(this.#spec, options.sort)));
    return found.slice(0, limit).map((document) => toRecord<T>(document));
  }

  async count(filter: Filter<T>): Promise<number> {
    return this.#select(filter).length;
  }

  async list(query: ListQuery, filter: Filter<T> = {}): Promise<Page<T>> {
    this.#open();
    const { page, itemsPerPage } = query;
    const order = orderOf(this.#spec, query.sortBy);
    const searched = searcher(this.#spec, query.search);
    let documents: readonly StoredDocument[];
    if (Object.keys(filter).length === 0) documents = this.#views.sorted(order);
    else if (candidates(this.#engine, filter)) documents = this.#select(filter).sort(comparator(order));
    else documents = this.#views.sorted(order).filter((document) => matches(document, filter));
    if (searched) documents = documents.filter(searched);
    const shown = documents.slice((page - 1) * itemsPerPage, page * itemsPerPage);
    return { items: shown.map((document) => toRecord<T>(document)), total: documents.length, page, itemsPerPage };
  }

  async update(id: string, version: number, patch: Patch<T>): Promise<T | null> {
    return this.#change(async () => {
      const current = documentOf(this.#engine, id);
      return current?.version === version ? this.#replace(current, patch) : null;
    });
  }

  async delete(id: string, version?: number): Promise<T | null> {
    return this.#change(async () => {
      const current = documentOf(this.#engine, id);
      if (!current || (version !== undefined && current.version !== version)) return null;
      await this.#engine.removeAsync({ _id: id }, {});
      this.#views.replace(current, null);
      return toRecord<T>(current);
    });
  }

  async deleteMany(filter: Filter<T>): Promise<number> {
    return this.#change(async () => {
      const ids = new Set(this.#select(filter).map((document) => document._id));
      if (ids.size === 0) return 0;
      const query = {
        $where(this: StoredDocument): boolean {
          return ids.has(this._id);
        },
      };
      const removed = await this.#engine.removeAsync(query, { multi: true });
      this.#lines += removed;
      this.#views.clear();
      return removed;
    });
  }

  async add<K extends keyof T & string>(id: string, key: K, value: string, max: number): Promise<T | null> {
    return this.#change(async () => {
      const current = documentOf(this.#engine, id);
      if (!current) return null;
      const values = (current[key] ?? []) as string[];
      if (values.includes(value)) return toRecord<T>(current);
      return values.length >= max ? null : this.#replace(current, { [key]: [...values, value] } as Patch<T>);
    });
  }

  async remove<K extends keyof T & string>(id: string, key: K, value: string, min: number): Promise<T | null> {
    return this.#change(async () => {
      const current = documentOf(this.#engine, id);
      if (!current) return null;
      const values = (current[key] ?? []) as string[];
      const rest = values.filter((one) => one !== value);
      if (rest.length < min) return null;
      return rest.length === values.length ? toRecord<T>(current) : this.#replace(current, { [key]: rest } as Patch<T>);
    });
  }

  /** Whether changes can be written; makes the file whole again after a failed write. */
  async healthy(): Promise<boolean> {
    if (this.#closed) return false;
    if (this.#torn) await this.#change(async () => {});
    return true;
  }

  /** Changes that came before are written, later calls are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await within(
      OPERATION_MS,
      this.#changes.run(async () => {}),
      this.#spec.name,
    );
  }

  #open(): void {
    if (this.#closed) throw new StoreUnavailable(`${this.#spec.name} is closed`);
  }

  #select(filter: Filter<T>): StoredDocument[] {
    this.#open();
    const among = candidates(this.#engine, filter) ?? this.#engine.getAllData();
    return among.filter((document) => matches(document, filter));
  }

  async #replace(current: StoredDocument, patch: Patch<T>): Promise<T> {
    const next = patchedDocument(this.#spec, current, patch, new Date().toISOString());
    const condition = { _id: current._id, version: current.version };
    await this.#engine.updateAsync(condition, next, {}).catch((error: unknown) => this.#refuse(error, next));
    this.#views.replace(current, documentOf(this.#engine, current._id));
    return toRecord<T>(next);
  }

  #refuse(error: unknown, document: StoredDocument): never {
    throw isUniqueViolation(error) ? new Duplicate(duplicateKey(this.#engine, document)) : error;
  }

  async #change<R>(task: () => Promise<R>): Promise<R> {
    this.#open();
    return within(
      OPERATION_MS,
      this.#changes.run(() => this.#guarded(task)),
      this.#spec.name,
    );
  }

  async #guarded<R>(task: () => Promise<R>): Promise<R> {
    try {
      if (this.#torn || this.#lines > COMPACT_AFTER + 4 * this.#engine.getAllData().length) await this.#compact();
      const result = await task();
      this.#lines += 1;
      return result;
    } catch (error) {
      if (error instanceof Duplicate || error instanceof RangeError || error instanceof TypeError) throw error;
      // NeDB has changed its memory before the write failed: what is in memory is the truth from here on.
      this.#torn = true;
      this.#views.clear();
      throw new StoreUnavailable(`${this.#spec.name} cannot be written`, { cause: error });
    }
  }

  async #compact(): Promise<void> {
    await this.#engine.compactDatafileAsync();
    this.#torn = false;
    this.#lines = 0;
  }
}
