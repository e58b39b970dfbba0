import { basename } from 'node:path';
import nedb from '@seald-io/nedb';
import { type CollectionSpec, Duplicate, type Filter, type Stored } from './collection.ts';
import { cutTornLine } from './file.repair.ts';
import { conditionOf } from './list.rules.ts';
import type { StoredDocument } from './record.rules.ts';

// The package's types describe an ES module's default export; it is a CommonJS one.
const Datastore = nedb as unknown as typeof nedb.default;

/**
 * NeDB's indexes, which its types leave out. Reading them at once, past its queue and without its copies, is what
 * makes reads cheap; it is safe because NeDB never changes a document in place. They are only read here.
 */
interface Index {
  unique: boolean;
  sparse: boolean;
  getMatching(value: unknown): StoredDocument[];
  getBetweenBounds(bounds: Record<string, unknown>): StoredDocument[];
}
export type Engine = InstanceType<typeof Datastore<StoredDocument>> & { indexes: Record<string, Index> };

/**
 * A loaded NeDB with exactly the indexes of the spec.
 * @param file null: kept in memory only
 * @param warn hears of a torn last line that was cut off
 * @throws Error one line, where the file is damaged anywhere but in a torn last line
 */
export async function openEngine<T extends Stored>(
  spec: CollectionSpec<T>,
  file: string | null,
  warn: (message: string) => void,
): Promise<Engine> {
  if (file) {
    const cut = await cutTornLine(file);
    if (cut > 0) warn(`${basename(file)}: cut off an unfinished last line of ${cut} bytes`);
  }
  const engine = new Datastore<StoredDocument>({
    ...(file ? { filename: file } : { inMemoryOnly: true }),
    corruptAlertThreshold: 0,
    modes: { fileMode: 0o600, dirMode: 0o700 },
  } as ConstructorParameters<typeof Datastore>[0]) as Engine;
  try {
    await engine.loadDatabaseAsync();
  } catch (error) {
    const { corruptItems, dataLength } = error as { corruptItems?: number; dataLength?: number };
    if (corruptItems === undefined) throw error;
    throw new Error(
      `${file} is damaged: ${corruptItems} of ${dataLength} lines cannot be read; restore it from a backup`,
    );
  }
  await setIndexes(engine, spec);
  return engine;
}

async function setIndexes<T extends Stored>(engine: Engine, spec: CollectionSpec<T>): Promise<void> {
  const uniques = (spec.unique ?? []).map((key) => `_unique.${key}`);
  const plain = (spec.indexes ?? []).flatMap((keys) => (keys[0] && keys[0] !== 'id' ? [keys[0] as string] : []));
  // The file remembers indexes; those of an older spec would cost with each write, or forbid what is allowed now.
  for (const [name, index] of Object.entries(engine.indexes)) {
    const wanted = index.unique ? name === '_id' || uniques.includes(name) : plain.includes(name);
    if (!wanted) await engine.removeIndexAsync(name);
  }
  for (const fieldName of plain) await engine.ensureIndexAsync({ fieldName });
  for (const fieldName of uniques) {
    await engine.ensureIndexAsync({ fieldName, unique: true, sparse: true }).catch((error: unknown) => {
      throw isUniqueViolation(error) ? new Duplicate(fieldName.slice('_unique.'.length)) : error;
    });
  }
}

export function isUniqueViolation(error: unknown): boolean {
  return (error as { errorType?: string }).errorType === 'uniqueViolated';
}

export function documentOf(engine: Engine, id: string): StoredDocument | null {
  return engine.indexes._id?.getMatching(id)[0] ?? null;
}

/** The unique key at which another document has the value of this one; `id` where it is the id. */
export function duplicateKey(engine: Engine, document: StoredDocument): string {
  for (const [key, value] of Object.entries(document._unique ?? {})) {
    const other = engine.indexes[`_unique.${key}`]?.getMatching(value)[0];
    if (other && other._id !== document._id) return key;
  }
  return 'id';
}

/** Documents among which are all that meet the filter, by an index; null where no index helps. */
export function candidates<T extends Stored>(engine: Engine, filter: Filter<T>): readonly StoredDocument[] | null {
  for (const [key, value] of Object.entries(filter)) {
    if (key === '$or') continue;
    const { operator, value: wanted } = conditionOf(key, value);
    const index = engine.indexes[key === 'id' ? '_id' : `_unique.${key}`] ?? engine.indexes[key];
    if (!index) continue;
    if (operator === '$lt' || operator === '$gt') {
      // An array's document comes once for each of its values.
      if (isScalar(wanted)) return [...new Set(index.getBetweenBounds({ [operator]: wanted }))];
    } else if (operator === '$eq' ? isScalar(wanted) : (wanted as unknown[]).every(isScalar)) {
      return index.getMatching(wanted);
    }
  }
  return null;
}

/** Null is not in every index, and NeDB keeps it apart from absent. */
function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
