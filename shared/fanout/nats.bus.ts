import type { JetStreamClient, JetStreamManager, NatsConnection } from 'nats';
import { Turns } from '../mailbox/turns.ts';
import { type BusLog, silent } from './adapter/bus.log.ts';
import { persist } from './adapter/nats.errors.ts';
import { NatsLink } from './adapter/nats.link.ts';
import type { Bus, EventEnvelope, Following, FollowOptions } from './bus.ts';
import { checkTopic, checkTtl, encodeEnvelope } from './envelope.ts';
import { NatsClaims } from './nats.claims.ts';
import { followAll, followTier, type Handler } from './nats.follow.ts';
import { listenTo } from './nats.listen.ts';
import { newestOf } from './nats.newest.ts';
import { ensureStream, type StreamLimits } from './nats.stream.ts';
import { type BusNames, namesOf } from './subjects.ts';

export interface NatsBusOptions {
  /** First token of every subject and of the stream's name: letters, digits, `-` and `_`. */
  prefix: string;
  /** Copies of the events in a cluster of NATS servers; 1. */
  replicas?: number;
  /** Milliseconds an event is kept; 24 h. */
  maxAge?: number;
  /** Bytes of events that are kept, the oldest go first; 256 MiB. */
  maxBytes?: number;
  log?: BusLog;
}

/** Milliseconds an emit may take. */
const emitBound = 5_000;
/** Milliseconds one attempt of it may take. */
const attemptBound = 1_000;
const maxWaiting = 10_000;
/** Milliseconds for the stream and its consumers to come about: a cluster that starts elects leaders first. */
const openBound = 20_000;

class NatsBus implements Bus {
  readonly #link: NatsLink;
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  readonly #names: BusNames;
  readonly #limits: StreamLimits;
  readonly #log: BusLog;
  readonly #turns = new Turns(maxWaiting);
  readonly #stops = new Set<() => Promise<void>>();
  readonly #claims: NatsClaims;
  #closed = false;

  constructor(link: NatsLink, jsm: JetStreamManager, options: NatsBusOptions) {
    this.#link = link;
    this.#jsm = jsm;
    this.#js = link.connection.jetstream();
    this.#names = namesOf(options.prefix);
    const { replicas = 1, maxAge = 24 * 3_600_000, maxBytes = 256 * 1024 * 1024 } = options;
    this.#limits = { replicas, maxAge, maxBytes };
    this.#log = options.log ?? silent;
    this.#claims = new NatsClaims({ link, js: this.#js, jsm, names: this.#names, replicas });
  }

  async open(): Promise<void> {
    await persist(openBound, () => ensureStream(this.#jsm, this.#names, this.#limits));
  }

  /** Emits of an entity are stored in the order of the calls, also where one has to be tried again. */
  async emit(envelope: EventEnvelope): Promise<void> {
    this.#check();
    const text = encodeEnvelope(envelope);
    const deadline = Date.now() + emitBound;
    const subject = this.#names.event(envelope.body);
    const entity = subject.slice(0, subject.lastIndexOf('.'));
    await this.#turns.take(entity, () => this.#store(subject, text, envelope.id, deadline));
  }

  async follow(options: FollowOptions, handler: Handler): Promise<Following> {
    this.#check();
    const { tier } = options;
    if (tier !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(tier)) throw new Error(`not a tier: ${tier}`);
    const context = {
      link: this.#link,
      jsm: this.#jsm,
      names: this.#names,
      limits: this.#limits,
      log: this.#log,
      handler,
    };
    return this.#keep(
      await persist(openBound, () => (tier === undefined ? followAll(context) : followTier(context, tier))),
    );
  }

  async newest(domain: string): Promise<EventEnvelope[]> {
    this.#check();
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(domain)) throw new Error(`not a domain: ${domain}`);
    const context = { jsm: this.#jsm, js: this.#js, names: this.#names, limits: this.#limits, log: this.#log };
    return persist(openBound, () => newestOf(context, domain));
  }

  notify(topic: string, data: unknown): void {
    checkTopic(topic);
    // nats.js would keep what is published while there is no link in memory, only to drop it.
    if (this.#closed || !this.#link.up) return;
    try {
      this.#link.connection.publish(this.#names.notice(topic), JSON.stringify(data ?? null));
    } catch (error) {
      this.#log.warn({ topic, err: error }, 'a notice could not be sent');
    }
  }

  async listen(topic: string, handler: (data: unknown) => void): Promise<Following> {
    this.#check();
    checkTopic(topic);
    return this.#keep(await listenTo(this.#link, this.#names.notice(topic), handler, this.#log));
  }

  async claim(name: string, ttlMs: number): Promise<boolean> {
    this.#check();
    checkTtl(ttlMs);
    return this.#claims.claim(name, ttlMs);
  }

  onGap(handler: () => void): void {
    this.#link.onBack(handler);
  }

  healthy(): boolean {
    return !this.#closed && this.#link.up;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#stops].map((stop) => stop()));
    this.#link.close();
  }

  #check(): void {
    if (this.#closed) throw new Error('the bus is closed');
  }

  #keep(following: Following): Following {
    const stop = async () => {
      this.#stops.delete(stop);
      await following.stop();
    };
    this.#stops.add(stop);
    return { stop };
  }

  /** The same message id in every attempt: an event whose acknowledgement was lost is not stored twice. */
  async #store(subject: string, text: string, msgID: string, deadline: number): Promise<void> {
    try {
      await persist(Math.max(0, deadline - Date.now()), async (left) => {
        await this.#link.whenUp(left);
        const timeout = Math.max(1, Math.min(attemptBound, deadline - Date.now()));
        await this.#js.publish(subject, text, { msgID, timeout });
      });
    } catch (error) {
      throw new Error(`the event could not be stored: ${(error as Error).message}`, { cause: error });
    }
  }
}

/**
 * A bus over NATS with JetStream, 2.10 or newer. The connection belongs to the caller, `close()` leaves it open.
 * @throws Error when the stream cannot be made within 20 s
 */
export async function natsBus(connection: NatsConnection, options: NatsBusOptions): Promise<Bus> {
  const link = new NatsLink(connection);
  try {
    const jsm = await connection.jetstreamManager({ checkAPI: false });
    const bus = new NatsBus(link, jsm, options);
    await bus.open();
    return bus;
  } catch (error) {
    link.close();
    throw error;
  }
}
