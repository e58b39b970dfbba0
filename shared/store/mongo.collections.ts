import { type Db, MongoClient } from 'mongodb';
import { HEALTH_MS, within } from './bounds.ts';
import type { Collection, CollectionSpec, Collections, Migration, Stored } from './collection.ts';
import { runMigrations } from './migrate.ts';
import { MongoCollection } from './mongo.collection.ts';
import { answered, translated } from './mongo.errors.ts';
import { indexesOf } from './mongo.rules.ts';
import type { StoredDocument } from './record.rules.ts';

const DEFAULT_DATABASE = 'trigate';
const CLOSE_MS = 5_000;

/**
 * Collections in MongoDB 4.4 or newer. Acknowledged is what a majority of the replica set has in its journal.
 * @param url with a database in its path or not; `options.database` wins, `trigate` is the default
 * @throws StoreUnavailable when no server answers within 2 s
 */
export async function openMongo(url: string, options: { database?: string } = {}): Promise<Collections> {
  const client = new MongoClient(url, {
    appName: 'trigate',
    ignoreUndefined: true,
    serverSelectionTimeoutMS: 2_000,
    connectTimeoutMS: 2_000,
    waitQueueTimeoutMS: 2_000,
    // Ends what the server never answers, after its own bound and before ours: the connection is not used again.
    socketTimeoutMS: 4_500,
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: 4_000 },
  });
  try {
    await answered('mongodb', () => client.connect());
  } catch (error) {
    await client.close().catch(() => {});
    throw error;
  }
  return new MongoCollections(client, client.db(options.database ?? databaseOf(url) ?? DEFAULT_DATABASE));
}

function databaseOf(url: string): string | undefined {
  const name = /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^?]+)/.exec(url)?.[1];
  return name && decodeURIComponent(name);
}

class MongoCollections implements Collections {
  readonly #client: MongoClient;
  readonly #database: Db;
  readonly #collections = new Map<string, Promise<MongoCollection<never>>>();

  constructor(client: MongoClient, database: Db) {
    this.#client = client;
    this.#database = database;
  }

  async collection<T extends Stored>(spec: CollectionSpec<T>): Promise<Collection<T>> {
    const known = this.#collections.get(spec.name);
    if (known) return known as unknown as Promise<Collection<T>>;
    const opening = this.#openCollection(spec);
    this.#collections.set(spec.name, opening as unknown as Promise<MongoCollection<never>>);
    opening.catch(() => this.#collections.delete(spec.name));
    return opening;
  }

  async migrate(migrations: readonly Migration[]): Promise<void> {
    await runMigrations(this, migrations);
  }

  async healthy(): Promise<boolean> {
    try {
      await within(HEALTH_MS, this.#database.command({ ping: 1 }), 'mongodb');
      return true;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    await within(CLOSE_MS, this.#client.close(), 'mongodb').catch((error) => {
      throw translated('mongodb', error);
    });
  }

  /** Making an index that is there costs nothing; several processes may do it at once. */
  async #openCollection<T extends Stored>(spec: CollectionSpec<T>): Promise<MongoCollection<T>> {
    const documents = this.#database.collection<StoredDocument>(spec.name);
    await answered(spec.name, () => documents.createIndexes(indexesOf(spec)));
    return new MongoCollection(spec, documents);
  }
}
