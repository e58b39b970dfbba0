import { randomUUID } from 'node:crypto';
import type { Log } from '../../shared/runtime/log.ts';
import type { Collection, Collections, Stored } from '../../shared/store/collection.ts';

/** Milliseconds between renewals, after which a silent process has lost its cameras, and for which one may act. */
const renewEveryMs = 700;
const leaseMs = 3_200;
const mayActMs = 2_400;
/** What one look may add to the time others were silent for: a stall of our own is nobody else's silence. */
const maxLookMs = 1_400;
const maxMembers = 500;

/** A process of `streams` as the others see it; its version grows with each renewal. */
interface Member extends Stored {
  beat: number;
}

/** The processes among which cameras are divided. */
export interface Members {
  /** Of this process; another one after it was taken for dead. */
  readonly id: string;
  /** Those that live, this one among them. */
  live(): readonly string[];
  /** False where the others may have taken this process's cameras: it must not act then. */
  mayAct(): boolean;
  /** Called when processes came or went, and when this one got another id. */
  onChange(handler: () => void): void;
  stop(): Promise<void>;
}

/** Where there is only one process. */
export function soleMember(): Members {
  const id = randomUUID();
  return { id, live: () => [id], mayAct: () => true, onChange: () => {}, stop: async () => {} };
}

/** Over the store: each process renews its record, and deletes those that were not renewed for a while. */
export async function storedMembers(stores: Collections, log: Log): Promise<Members> {
  const members = await stores.collection<Member>({ name: 'stream-members', sortable: [] });
  const membership = new StoredMembers(members, log);
  await membership.start();
  return membership;
}

class StoredMembers implements Members {
  readonly #members: Collection<Member>;
  readonly #log: Log;
  #own: Member | undefined;
  /** By id: the version that was seen, and at what time of `#clock` it was new. */
  #seen = new Map<string, { version: number; at: number }>();
  #live: readonly string[] = [];
  #clock = 0;
  #lookedAt = performance.now();
  /** When the last renewal that succeeded was sent (ms, performance.now()). */
  #renewedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;
  readonly #handlers: (() => void)[] = [];

  constructor(members: Collection<Member>, log: Log) {
    this.#members = members;
    this.#log = log;
  }

  get id(): string {
    return this.#own?.id ?? '';
  }

  live = () => this.#live;
  mayAct = () => !this.#stopped && performance.now() - this.#renewedAt < mayActMs;
  onChange = (handler: () => void) => void this.#handlers.push(handler);

  /** @throws StoreUnavailable */
  async start(): Promise<void> {
    await this.#renew();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#turn;
    if (this.#own) await this.#members.delete(this.#own.id).catch(() => {});
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#turn = this.#renew()
        .catch((err) => this.#log.warn({ err }, 'the lease on cameras could not be renewed; it is tried again'))
        .then(() => {
          if (!this.#stopped) this.#schedule();
        });
    }, renewEveryMs);
    this.#timer.unref();
  }

  async #renew(): Promise<void> {
    const sentAt = performance.now();
    const renewed = this.#own && (await this.#members.update(this.#own.id, this.#own.version, { beat: sentAt }));
    this.#own = renewed ?? (await this.#members.insert({ beat: sentAt }));
    this.#renewedAt = sentAt;
    await this.#look();
  }

  async #look(): Promise<void> {
    const found = await this.#members.find({}, { limit: maxMembers });
    const now = performance.now();
    this.#clock += Math.min(now - this.#lookedAt, maxLookMs);
    this.#lookedAt = now;
    const seen = new Map<string, { version: number; at: number }>();
    for (const { id, version } of found) {
      const before = this.#seen.get(id);
      seen.set(id, before?.version === version ? before : { version, at: this.#clock });
    }
    this.#seen = seen;
    for (const [id, { version, at }] of seen) {
      if (id === this.id || this.#clock - at <= leaseMs) continue;
      // Only where it was not renewed meanwhile: with the record gone, its owner knows that it was taken for dead.
      if (!(await this.#members.delete(id, version))) {
        // It renewed just now.
        seen.set(id, { version, at: this.#clock });
        continue;
      }
      this.#log.warn({ member: id }, 'a process of streams is gone');
      seen.delete(id);
    }
    this.#set([...seen.keys()].sort());
  }

  #set(live: readonly string[]): void {
    if (live.join() === this.#live.join()) return;
    this.#live = live;
    for (const handler of this.#handlers) handler();
  }
}
