import type { Client } from 'aedes';
import type { Slots } from '../../../shared/mailbox/slots.ts';
import type { Principal } from '../../../shared/runtime/principal.ts';
import type { Asker, QoS } from '../broker.ts';
import { matches } from './filters.ts';
import type { Login } from './login.ts';

/** One client that is connected. */
export interface Connection extends Asker {
  readonly client: Client;
  readonly session: Session;
  readonly login: Login;
  readonly slots: Slots;
  /** Resolves when the session was told of its end. */
  readonly gone: Promise<void>;
  /** Nothing more is taken from it or told to it: its token ended, or the broker does. */
  ended: boolean;
}

/** A message, or the release of one of QoS 2, on its way to the client of a session that is kept. */
export interface Stored {
  cmd: 'publish' | 'pubrel';
  topic: string;
  payload: Buffer;
  qos: QoS;
  retain: boolean;
  dup: boolean;
  properties?: unknown;
  brokerId?: string;
  brokerCounter?: number;
  messageId?: number | undefined;
}

export interface SessionBounds {
  readonly filters: number;
  /** Messages and bytes kept for a client that is away or has not acknowledged them. */
  readonly queued: number;
  readonly queuedBytes: number;
  /** Sessions kept for clients that are away: of one owner, of all, and for how many milliseconds. */
  readonly keptOfOwner: number;
  readonly kept: number;
  readonly keptMs: number;
}

export const defaultBounds: SessionBounds = {
  filters: 100,
  queued: 1_000,
  queuedBytes: 4_194_304,
  keptOfOwner: 10,
  kept: 1_000,
  keptMs: 86_400_000,
};

/** What belongs to a client id: whose it is, its subscriptions and what waits for it. */
export class Session {
  readonly clientId: string;
  /** The user or key whose it is; nobody else's client gets this id while the session lives. */
  readonly owner: string;
  /** Whether it outlives its connection (clean session 0). */
  readonly kept: boolean;
  readonly filters = new Map<string, QoS>();
  /** Ids of QoS 2 messages that were taken and not yet released. */
  readonly incoming = new Set<number>();
  readonly #bounds: SessionBounds;
  #login: Login;
  #queue: Stored[] = [];
  #bytes = 0;
  /** Its connections, oldest first: two for a moment when the same owner connects again. */
  readonly connections = new Set<Connection>();
  /** Messages for a client that is just connecting. */
  held: Stored[] = [];
  offlineSince = 0;

  constructor(clientId: string, owner: string, kept: boolean, login: Login, bounds: SessionBounds) {
    this.clientId = clientId;
    this.owner = owner;
    this.kept = kept;
    this.#login = login;
    this.#bounds = bounds;
  }

  /** Who connected last. */
  get principal(): Principal {
    return this.#login.principal;
  }

  /** Of whoever is connected, and of who was last. */
  get logins(): ReadonlySet<Login> {
    return new Set([this.#login, ...[...this.connections].map(({ login }) => login)]);
  }

  connected(connection: Connection): void {
    this.#login = connection.login;
    this.connections.add(connection);
  }

  /** The client that may be written to; undefined while it is away or still connecting. */
  get client(): Client | undefined {
    for (const { client } of this.connections) if (client.connected && !client.closed) return client;
    return undefined;
  }

  get queue(): readonly Stored[] {
    return this.#queue;
  }

  /** The quality at which a topic is heard, the best of all filters that match; undefined where none does. */
  hears(topic: string): QoS | undefined {
    let best = this.filters.get(topic);
    for (const [filter, qos] of this.filters) {
      if ((best === undefined || qos > best) && matches(filter, topic)) best = qos;
    }
    return best;
  }

  /** @returns whether there was room */
  subscribe(filter: string, qos: QoS): boolean {
    if (!this.filters.has(filter) && this.filters.size >= this.#bounds.filters) return false;
    this.filters.set(filter, qos);
    return true;
  }

  /** A client that is back gets as much room again for what comes while it takes what waited. Returns whether there was room. */
  enqueue(message: Stored): boolean {
    const factor = this.connections.size > 0 ? 2 : 1;
    const { queued, queuedBytes } = this.#bounds;
    if (this.#queue.length >= queued * factor) return false;
    if (this.#bytes + message.payload.length > queuedBytes * factor) return false;
    this.#queue.push(message);
    this.#bytes += message.payload.length;
    return true;
  }

  /** @returns whether there was room */
  hold(message: Stored): boolean {
    if (this.held.length >= this.#bounds.queued) return false;
    this.held.push(message);
    return true;
  }

  replace(old: Stored, by: Stored): void {
    const index = this.#queue.indexOf(old);
    if (index < 0) return;
    this.#queue[index] = by;
    this.#bytes += by.payload.length - old.payload.length;
  }

  remove(unwanted: (message: Stored) => boolean): void {
    this.#queue = this.#queue.filter((message) => {
      if (!unwanted(message)) return true;
      this.#bytes -= message.payload.length;
      return false;
    });
  }
}
