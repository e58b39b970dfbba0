import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Collection,
  type Collections,
  Duplicate,
  type Migration,
  type Stored,
  StoreUnavailable,
} from './collection.ts';

/** A migration that has run (`id` is its id), or the lock (`id` is `lock`). */
interface Entry extends Stored {
  holder: string | null;
}

export interface MigrateOptions {
  /** How long a lock outlives its last renewal, ms. */
  leaseMs?: number;
  /** How long to wait for another process that migrates, ms. */
  waitMs?: number;
}

const LOCK = 'lock';
const SPEC = { name: '_migrations', sortable: [] } as const;

/**
 * Runs each migration that has not run yet, in order of their ids, in one process at a time. One that fails is not
 * recorded and ends the run with its error.
 * @throws StoreUnavailable when another process holds the lock for longer than `waitMs`, or took it over
 */
export async function runMigrations(
  stores: Collections,
  migrations: readonly Migration[],
  { leaseMs = 15_000, waitMs = 60_000 }: MigrateOptions = {},
): Promise<void> {
  const ordered = [...migrations].sort((a, b) => (a.id < b.id ? -1 : 1));
  checkIds(ordered);
  const entries = await stores.collection<Entry>(SPEC);
  if ((await missing(entries, ordered)).length === 0) return;
  const lease = await acquire(entries, leaseMs, waitMs);
  try {
    for (const migration of await missing(entries, ordered)) {
      lease.check();
      await migration.run(stores);
      lease.check();
      await entries.insert({ id: migration.id, holder: null });
    }
  } finally {
    await lease.release();
  }
}

function checkIds(ordered: readonly Migration[]): void {
  ordered.forEach(({ id }, index) => {
    if (id === LOCK || id === ordered[index - 1]?.id) throw new RangeError(`two migrations are called ${id}`);
  });
}

async function missing(entries: Collection<Entry>, ordered: readonly Migration[]): Promise<Migration[]> {
  const known = await Promise.all(ordered.map(({ id }) => entries.get(id)));
  return ordered.filter((_, index) => known[index] === null);
}

/**
 * The lock is made once and never deleted, so that its version only grows: who lost it cannot renew another's.
 * It is taken over when its version stands still for `leaseMs` as measured here: clocks of two machines are
 * never compared.
 */
async function acquire(entries: Collection<Entry>, leaseMs: number, waitMs: number): Promise<Lease> {
  const holder = randomUUID();
  const started = performance.now();
  let seen = { version: 0, at: started };
  for (;;) {
    const taken = await tryInsert(entries, holder);
    if (taken) return new Lease(entries, taken, leaseMs);
    const lock = await entries.get(LOCK);
    const now = performance.now();
    if (lock && lock.version !== seen.version) seen = { version: lock.version, at: now };
    if (lock && (lock.holder === null || now - seen.at > leaseMs)) {
      const won = await entries.update(LOCK, lock.version, { holder });
      if (won) return new Lease(entries, won, leaseMs);
    }
    if (now - started > waitMs) throw new StoreUnavailable('another process has been migrating for too long');
    await sleep(Math.min(200, leaseMs / 4));
  }
}

async function tryInsert(entries: Collection<Entry>, holder: string): Promise<Entry | null> {
  try {
    return await entries.insert({ id: LOCK, holder });
  } catch (error) {
    if (error instanceof Duplicate) return null;
    throw error;
  }
}

/** The lock while this process has it: renewed three times per lease. */
class Lease {
  readonly #entries: Collection<Entry>;
  readonly #timer: NodeJS.Timeout;
  readonly #leaseMs: number;
  #renewal: Promise<void> | null = null;
  #lock: Entry | null;
  #renewedAt = performance.now();

  constructor(entries: Collection<Entry>, lock: Entry, leaseMs: number) {
    this.#entries = entries;
    this.#lock = lock;
    this.#leaseMs = leaseMs;
    this.#timer = setInterval(() => {
      this.#renewal ??= this.#renew().finally(() => {
        this.#renewal = null;
      });
    }, leaseMs / 3);
    this.#timer.unref();
  }

  /** @throws StoreUnavailable when another process may hold the lock by now */
  check(): void {
    if (!this.#lock || performance.now() - this.#renewedAt > this.#leaseMs) {
      throw new StoreUnavailable('lost the lock while migrating: another process may have run the same migration');
    }
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewal;
    // Not given back, it expires: what the migrations did stands either way.
    if (this.#lock) await this.#entries.update(LOCK, this.#lock.version, { holder: null }).catch(() => null);
  }

  async #renew(): Promise<void> {
    if (!this.#lock) return;
    const asked = performance.now();
    try {
      const { version, holder } = this.#lock;
      const renewed = await this.#entries.update(LOCK, version, { holder });
      // An earlier renewal may have been made without its answer arriving: the holder still tells whose lock it is.
      const lock = renewed ?? (await this.#entries.get(LOCK));
      this.#lock = lock?.holder === holder ? lock : null;
      if (renewed) this.#renewedAt = asked;
    } catch {
      // The store did not answer; the next renewal may be in time, else check() says so.
    }
  }
}
