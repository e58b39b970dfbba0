import { headers } from 'nats';
import type { BusLog } from './bus.log.ts';
import { ColdRooms } from './cold.ts';
import type { NatsLink } from './nats.link.ts';
import { pause } from './pause.ts';
import type { Unconfirmed } from './unconfirmed.ts';
import type { Header } from './wire.ts';

/** Bytes and messages that wait while NATS cannot be reached; beyond that the oldest are lost, for everybody. */
const maxWaitingBytes = 8 * 1024 * 1024;
const maxWaiting = 20_000;
/** Milliseconds for which the log is asked what it has got; a cluster of NATS may take 10 s to agree on a leader. */
const settleBound = 30_000;

export interface Item {
  subject: string;
  /** A function is asked when the item goes out, so that it can still change. */
  payload: Uint8Array | (() => Uint8Array);
  /** Of a room that nobody may be in yet: see ColdRooms. */
  cold: boolean;
  /** The stream keeps one message of each such id. */
  once?: string | undefined;
  /** Of a packet that must get into the log, its own: see Unconfirmed. */
  packet?: string | undefined;
}

type Publishing = Pick<Partial<Item>, 'cold' | 'once' | 'packet'>;

/** The id of a packet that must get into the log. */
export const keptId = ({ id, volatile }: Header): string | undefined => (volatile ? undefined : id);

const bytesOf = (payload: Item['payload']): number => (typeof payload === 'function' ? 0 : payload.length);

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
  readonly #unconfirmed: Unconfirmed | undefined;
  readonly #forget: () => void;
  readonly #closing = new AbortController();
  #coldRooms: ColdRooms | undefined;
  #queue: Item[] = [];
  #bytes = 0;
  #scheduled = false;
  #held = false;
  #settling: Promise<void> | undefined;
  #doubts = 0;
  #closed = false;
  /** Messages lost since the start because NATS was away for too long. */
  lost = 0;

  /** @param unconfirmed absent where packets do not go through the log */
  constructor(link: NatsLink, log: BusLog, unconfirmed?: Unconfirmed) {
    this.#link = link;
    this.#log = log;
    this.#unconfirmed = unconfirmed;
    this.#forget = link.onBack(() => this.#compare());
    if (!unconfirmed) return;
    unconfirmed.doubted = () => {
      if (!this.#settling) this.#compare();
    };
  }

  /** The item that goes out last, as long as it has not gone out. */
  get newest(): Item | undefined {
    return this.#queue.at(-1);
  }

  /** Resolves when what was on its way at a break of the link is there, or given up. */
  get settled(): Promise<void> {
    return this.#settling ?? Promise.resolve();
  }

  publish(subject: string, payload: Item['payload'], { cold = false, once, packet }: Publishing = {}): Item {
    const item = { subject, payload, cold, once, packet };
    if (this.#closed) return item;
    this.#queue.push(item);
    this.#bytes += bytesOf(payload);
    if (this.#waits) this.#trim();
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
    for (const { subject, payload, cold, once, packet } of this.#takeQueue()) {
      try {
        const data = typeof payload === 'function' ? payload() : payload;
        if (cold) this.#cold().publish(subject, data);
        else this.#send(subject, data, once);
        if (packet !== undefined) this.#unconfirmed?.sent({ id: packet, subject, data, once });
      } catch (error) {
        this.lost += 1;
        this.#log.warn({ subject, err: error }, 'a packet could not be published');
      }
    }
  }

  /** Hands over what waits, after what a break left open, for which it waits at most so many milliseconds. */
  async finish(ms: number): Promise<void> {
    if (this.#settling) await Promise.race([this.settled, pause(ms, this.#closing.signal)]);
    this.flush();
  }

  close(): void {
    this.flush();
    this.#closed = true;
    const lost = this.#queue.length + (this.#settling ? (this.#unconfirmed?.size ?? 0) : 0);
    this.lost += lost;
    if (lost > 0) this.#log.warn({ packets: lost }, 'packets are lost: NATS could not be reached until the end');
    this.#closing.abort();
    this.#unconfirmed?.close();
    this.#coldRooms?.close();
    this.#forget();
  }

  get #waits(): boolean {
    return !this.#link.up || this.#held || this.#settling !== undefined;
  }

  #send(subject: string, data: Uint8Array, once: string | undefined): void {
    this.#link.connection.publish(subject, data, once === undefined ? undefined : { headers: withId(once) });
  }

  /** All that may go out now: what goes into the log waits while the log is compared, what does not go there does not. */
  #takeQueue(): Item[] {
    const items = this.#queue;
    const unconfirmed = this.#settling && this.#unconfirmed;
    this.#queue = unconfirmed ? items.filter(({ subject }) => unconfirmed.captures(subject)) : [];
    this.#bytes = this.#queue.reduce((sum, { payload }) => sum + bytesOf(payload), 0);
    return unconfirmed ? items.filter(({ subject }) => !unconfirmed.captures(subject)) : items;
  }

  /** What was on its way when the link broke, or the log took nothing, goes first. */
  #compare(): void {
    this.#doubts += 1;
    const unconfirmed = this.#unconfirmed;
    if (unconfirmed && unconfirmed.size > 0) {
      this.#settling ??= this.#settle(unconfirmed).finally(() => {
        this.#settling = undefined;
        this.flush();
      });
    } else this.flush();
  }

  async #settle(unconfirmed: Unconfirmed): Promise<void> {
    const { signal } = this.#closing;
    for (let until = 0, seen = 0; !signal.aborted && this.#link.up; await pause(250, signal)) {
      // It may have broken once more.
      if (seen !== this.#doubts) until = Date.now() + settleBound;
      seen = this.#doubts;
      let problem: unknown;
      try {
        const missing = await unconfirmed.missing();
        if (seen !== this.#doubts) continue;
        for (const { subject, data, once } of missing) this.#send(subject, data, once);
        // Whether it gets there is looked at as well: the leader may be another one already. What others tell too may be
        // there under another id.
        if (missing.every(({ once }) => once !== undefined)) return;
      } catch (error) {
        problem = error;
      }
      if (Date.now() < until) continue;
      this.lost += unconfirmed.forget();
      this.#log.warn({ err: problem }, 'packets that were on their way when NATS went may be lost');
      return;
    }
  }

  #cold(): ColdRooms {
    this.#coldRooms ??= new ColdRooms(this.#link);
    return this.#coldRooms;
  }

  #trim(): void {
    while (this.#queue.length > maxWaiting || this.#bytes > maxWaitingBytes) {
      const item = this.#queue.shift();
      if (!item) return;
      this.#bytes -= bytesOf(item.payload);
      if (this.lost === 0) this.#log.warn({}, 'packets are lost: NATS cannot be reached and too many wait');
      this.lost += 1;
    }
  }
}
