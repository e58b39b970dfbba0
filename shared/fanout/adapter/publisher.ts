import { headers } from 'nats';
import type { BusLog } from '../envelope.ts';
import type { NatsLink } from '../nats.link.ts';
import { ColdRooms } from './cold.ts';

/** Bytes and messages that wait while NATS cannot be reached; beyond that the oldest are lost, for everybody. */
const maxWaitingBytes = 8 * 1024 * 1024;
const maxWaiting = 20_000;

export interface Item {
  subject: string;
  /** A function is asked when the item goes out, so that it can still change. */
  payload: Uint8Array | (() => Uint8Array);
  /** Of a room that nobody may be in yet: see ColdRooms. */
  cold: boolean;
  /** The stream keeps one message of each such id. */
  id?: string | undefined;
}

function withId(id: string) {
  const made = headers();
  made.set('Nats-Msg-Id', id);
  return made;
}

/**
 * Publishes once per event-loop turn, in order. A subscription made in the same turn is at the server before, and
 * nats.js writes once. What is published while the link is down waits, with a bound, and goes out when it is back.
 */
export class Publisher {
  readonly #link: NatsLink;
  readonly #log: BusLog;
  readonly #forget: () => void;
  #coldRooms: ColdRooms | undefined;
  #queue: Item[] = [];
  #bytes = 0;
  #scheduled = false;
  #held = false;
  #closed = false;
  /** Messages lost since the start because NATS was away for too long. */
  lost = 0;

  constructor(link: NatsLink, log: BusLog) {
    this.#link = link;
    this.#log = log;
    this.#forget = link.onBack(() => this.flush());
  }

  /** The item that goes out last, as long as it has not gone out. */
  get newest(): Item | undefined {
    return this.#queue.at(-1);
  }

  publish(
    subject: string,
    payload: Item['payload'],
    { cold = false, id }: Pick<Partial<Item>, 'cold' | 'id'> = {},
  ): Item {
    const item = { subject, payload, cold, id };
    if (this.#closed) return item;
    this.#queue.push(item);
    this.#bytes += typeof payload === 'function' ? 0 : payload.length;
    if (!this.#link.up || this.#held) this.#trim();
    if (this.#scheduled) return item;
    this.#scheduled = true;
    setImmediate(() => this.flush());
    return item;
  }

  /** Keeps everything back until `release`: there is no stream yet. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.flush();
  }

  /** Hands everything to nats.js now, unless the link is down. */
  flush(): void {
    this.#scheduled = false;
    if (!this.#link.up || this.#held || this.#link.connection.isClosed()) return;
    const items = this.#queue;
    this.#queue = [];
    this.#bytes = 0;
    for (const { subject, payload, cold, id } of items) {
      try {
        const data = typeof payload === 'function' ? payload() : payload;
        if (cold) this.#cold().publish(subject, data);
        else this.#link.connection.publish(subject, data, id === undefined ? undefined : { headers: withId(id) });
      } catch (error) {
        this.lost += 1;
        this.#log.warn({ subject, err: error }, 'a packet could not be published');
      }
    }
  }

  close(): void {
    this.flush();
    this.#closed = true;
    this.#coldRooms?.close();
    this.#forget();
  }

  #cold(): ColdRooms {
    this.#coldRooms ??= new ColdRooms(this.#link);
    return this.#coldRooms;
  }

  #trim(): void {
    while (this.#queue.length > maxWaiting || this.#bytes > maxWaitingBytes) {
      const item = this.#queue.shift();
      if (!item) return;
      if (typeof item.payload !== 'function') this.#bytes -= item.payload.length;
      if (this.lost === 0) this.#log.warn({}, 'packets are lost: NATS cannot be reached and too many wait');
      this.lost += 1;
    }
  }
}
