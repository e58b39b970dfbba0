import { type BusLog, silent } from './adapter/bus.log.ts';
import type { Bus, EventEnvelope, Following } from './bus.ts';
import { checkTopic, checkTtl, decodeEnvelope, encodeEnvelope } from './envelope.ts';
import { Claims } from './memory.claims.ts';
import { type Handler, Lane } from './memory.lane.ts';
import { RecentIds, recognisedMs } from './recent.ts';
import { laneCount, laneOf } from './subjects.ts';

export interface MemoryBusOptions {
  log?: BusLog;
  /** Events a lane holds for a slow or absent follower, 20,000; the oldest is dropped, with a warning, beyond that. */
  limit?: number;
}

const duplicateIds = 100_000;
const maxClaims = 500_000;
const maxNewest = 10_000;

type Follower = (envelope: EventEnvelope) => Promise<void>;

class MemoryBus implements Bus {
  readonly #log: BusLog;
  readonly #limit: number;
  readonly #seen = new RecentIds(duplicateIds, recognisedMs);
  readonly #tiers = new Map<string, Lane[]>();
  readonly #followers = new Set<Lane>();
  readonly #listeners = new Map<string, Set<(data: unknown) => void>>();
  readonly #stops = new Set<() => Promise<void>>();
  readonly #claims = new Claims(maxClaims);
  /** By domain, entity and event, oldest first. */
  readonly #newest = new Map<string, string>();
  #closed = false;

  constructor(options: MemoryBusOptions) {
    this.#log = options.log ?? silent;
    this.#limit = options.limit ?? 20_000;
  }

  async emit(envelope: EventEnvelope): Promise<void> {
    if (this.#closed) throw new Error('the bus is closed');
    const text = encodeEnvelope(envelope);
    if (this.#seen.has(envelope.id)) return;
    this.#seen.add(envelope.id);
    this.#keep(envelope, text);
    const lane = laneOf(envelope.body.domain, envelope.body.entity);
    for (const lanes of this.#tiers.values()) lanes[lane]?.push(text);
    for (const follower of this.#followers) follower.push(text);
  }

  async follow(options: { tier?: string }, handler: Follower): Promise<Following> {
    if (this.#closed) throw new Error('the bus is closed');
    // As over a wire: no follower can change what another one sees.
    const handle: Handler = (text) => handler(decodeEnvelope(text));
    if (options.tier !== undefined) return this.#following(this.#tier(options.tier), handle);
    const lane = this.#lane('');
    this.#followers.add(lane);
    return this.#following([lane], handle, () => this.#followers.delete(lane));
  }

  async newest(domain: string): Promise<EventEnvelope[]> {
    if (this.#closed) throw new Error('the bus is closed');
    const found = [...this.#newest].filter(([key]) => key.startsWith(`${domain}\0`));
    return found.map(([, text]) => decodeEnvelope(text));
  }

  notify(topic: string, data: unknown): void {
    checkTopic(topic);
    const text = JSON.stringify(data ?? null);
    for (const listener of this.#listeners.get(topic) ?? []) setImmediate(() => this.#tell(topic, listener, text));
  }

  async listen(topic: string, handler: (data: unknown) => void): Promise<Following> {
    checkTopic(topic);
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners);
    const listener = (data: unknown) => handler(data);
    listeners.add(listener);
    return {
      stop: async () => {
        listeners.delete(listener);
        if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
      },
    };
  }

  async claim(name: string, ttlMs: number): Promise<boolean> {
    if (this.#closed) throw new Error('the bus is closed');
    checkTtl(ttlMs);
    return this.#claims.claim(name, ttlMs);
  }

  /** Within a process nothing is ever missed. */
  onGap(): void {}

  healthy(): boolean {
    return !this.#closed;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    await Promise.all([...this.#stops].map((stop) => stop()));
  }

  #keep({ body: { domain, entity, event } }: EventEnvelope, text: string): void {
    const key = `${domain}\0${event}\0${entity === null ? '' : `=${entity}`}`;
    this.#newest.delete(key);
    this.#newest.set(key, text);
    for (const oldest of this.#newest.keys()) {
      if (this.#newest.size <= maxNewest) return;
      this.#newest.delete(oldest);
    }
  }

  #tell(topic: string, listener: (data: unknown) => void, text: string): void {
    if (!this.#listeners.get(topic)?.has(listener)) return;
    try {
      listener(JSON.parse(text));
    } catch (error) {
      this.#log.warn({ topic, err: error }, 'a listener failed');
    }
  }

  #tier(tier: string): Lane[] {
    const lanes = this.#tiers.get(tier) ?? Array.from({ length: laneCount }, () => this.#lane(tier));
    this.#tiers.set(tier, lanes);
    return lanes;
  }

  #lane(tier: string): Lane {
    return new Lane(this.#limit, (fields, message) => this.#log.warn({ ...fields, tier }, message));
  }

  #following(lanes: Lane[], handle: Handler, after?: () => void): Following {
    const member = { handle };
    for (const lane of lanes) lane.join(member);
    const stop = async () => {
      after?.();
      this.#stops.delete(stop);
      await Promise.all(lanes.map((lane) => lane.leave(member)));
    };
    this.#stops.add(stop);
    return { stop };
  }
}

/** A bus within one process: nothing outlives it, and every process-wide promise of `Bus` holds. */
export function memoryBus(options: MemoryBusOptions = {}): Bus {
  return new MemoryBus(options);
}
