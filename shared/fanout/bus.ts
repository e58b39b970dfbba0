/**
 * How processes tell each other things: service events, which are durable, and notices, which are not.
 * NATS and memory implement it (`nats.bus.ts`, `memory.bus.ts`); `bus.suite.ts` is the suite both pass.
 */

/** A service event as clients see it. */
export interface ServiceEvent {
  domain: string;
  event: string;
  entity: string | null;
  details: Record<string, unknown>;
  /** ISO 8601, UTC. */
  at: string;
}

/** Who may hear an event; administrators hear every one but those for `services`, which no client hears. */
export type EventHearers =
  | { kind: 'users' }
  | { kind: 'admins' }
  | { kind: 'named'; users: string[] }
  | { kind: 'services' };

export interface EventEnvelope {
  /** Unique; the same id twice is delivered once (within two minutes). */
  id: string;
  hearers: EventHearers;
  body: ServiceEvent;
  /** For gateways only: the rooms it concerns. */
  rooms?: string[] | undefined;
}

export interface Following {
  stop(): Promise<void>;
}

export interface FollowOptions {
  /**
   * With a tier, the processes of that tier share the events: each event is handled by one of them, again by another
   * where that one fails or dies, in order per entity, also those published while none was there.
   * Without, this process gets every event from now on, in order.
   */
  tier?: string;
}

export interface Bus {
  /** Resolves when the event is stored. @throws Error within 5 s when it cannot be. */
  emit(envelope: EventEnvelope): Promise<void>;
  /** A handler that rejects gets the event again, with a growing pause, before any later one of the same entity. */
  follow(options: FollowOptions, handler: (envelope: EventEnvelope) => Promise<void>): Promise<Following>;
  /**
   * What was stored last under each name of each entity of a domain, oldest first, also where the event itself is long
   * forgotten. An event stored while this runs may be missing: follow first.
   * @throws Error within 20 s
   */
  newest(domain: string): Promise<EventEnvelope[]>;
  /** At most once, to everyone who listens now. `topic` has letters, digits and dots. */
  notify(topic: string, data: unknown): void;
  listen(topic: string, handler: (data: unknown) => void): Promise<Following>;
  /**
   * True for exactly one caller in the cluster within `ttlMs` (1,000 to 86,400,000; few different ones, as each is a
   * stream of its own). `name` is any text.
   * @throws Error within 2 s where that cannot be known: whoever asks must refuse
   */
  claim(name: string, ttlMs: number): Promise<boolean>;
  /** Called whenever notices may have been missed (the connection was lost and is back). */
  onGap(handler: () => void): void;
  /** Whether the bus is connected. */
  healthy(): boolean;
  close(): Promise<void>;
}
