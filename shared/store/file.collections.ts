import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HEALTH_MS, within } from './bounds.ts';
import {
  type Collection,
  type CollectionSpec,
  type Collections,
  type Migration,
  type Stored,
  StoreUnavailable,
} from './collection.ts';
import { FileCollection } from './file.collection.ts';
import { openEngine } from './file.engine.ts';
import { lockDirectory } from './file.lock.ts';
import { runMigrations } from './migrate.ts';

export interface FileOptions {
  /** Hears, in one line, of what was repaired at opening. Default: a process warning. */
  warn?: (message: string) => void;
}

/**
 * Collections as files `<name>.db` in a directory, made where it is not there; for one process.
 * A change that was acknowledged survives the process being killed; only MongoDB survives a loss of power as well.
 * @throws Error one line: another process uses the directory (`lock` in it holds its pid)
 */
export async function openFiles(directory: string, options: FileOptions = {}): Promise<Collections> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const unlock = await lockDirectory(directory);
  return new FileCollections(directory, unlock, options.warn ?? ((message) => process.emitWarning(message)));
}

/** The same without files: for unit tests and benches. */
export function openMemory(): Collections {
  return new FileCollections(
    null,
    async () => {},
    () => {},
  );
}

class FileCollections implements Collections {
  readonly #directory: string | null;
  readonly #unlock: () => Promise<void>;
  readonly #warn: (message: string) => void;
  readonly #collections = new Map<string, Promise<FileCollection<never>>>();
  #closed = false;

  constructor(directory: string | null, unlock: () => Promise<void>, warn: (message: string) => void) {
    this.#directory = directory;
    this.#unlock = unlock;
    this.#warn = warn;
  }

  async collection<T extends Stored>(spec: CollectionSpec<T>): Promise<Collection<T>> {
    if (this.#closed) throw new StoreUnavailable('the store is closed');
    const known = this.#collections.get(spec.name);
    if (known) return known as unknown as Promise<Collection<T>>;
    const opening = this.#openCollection(spec);
    this.#collections.set(spec.name, opening as unknown as Promise<FileCollection<never>>);
    opening.catch(() => this.#collections.delete(spec.name));
    return opening;
  }

  async migrate(migrations: readonly Migration[]): Promise<void> {
    await runMigrations(this, migrations);
  }

  async healthy(): Promise<boolean> {
    if (this.#closed) return false;
    try {
      await within(HEALTH_MS, this.#check(), 'files');
      return true;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const opened = await Promise.allSettled(this.#collections.values());
    await Promise.allSettled(opened.map((one) => (one.status === 'fulfilled' ? one.value.close() : undefined)));
    await this.#unlock();
  }

  async #check(): Promise<void> {
    if (this.#directory) await access(this.#directory, constants.R_OK | constants.W_OK);
    await Promise.all([...this.#collections.values()].map(async (collection) => (await collection).healthy()));
  }

  async #openCollection<T extends Stored>(spec: CollectionSpec<T>): Promise<FileCollection<T>> {
    if (!/^\w[\w-]{0,63}$/.test(spec.name)) throw new RangeError(`not a name for a collection: ${spec.name}`);
    const file = this.#directory && join(this.#directory, `${spec.name}.db`);
    return new FileCollection(spec, await openEngine(spec, file, this.#warn));
  }
}
