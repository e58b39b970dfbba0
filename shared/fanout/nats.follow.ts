import { type JetStreamManager, nuid } from 'nats';
import type { BusLog } from './adapter/bus.log.ts';
import type { NatsLink } from './adapter/nats.link.ts';
import { pause } from './adapter/pause.ts';
import type { EventEnvelope, Following } from './bus.ts';
import { decodeEnvelope } from './envelope.ts';
import { ack, nak, type Pulled, terminate, working } from './nats.message.ts';
import { Puller } from './nats.pull.ts';
import { ackWait, addPlainConsumer, ensureStream, ensureTierConsumer, type StreamLimits } from './nats.stream.ts';
import { growingPause } from './pause.ts';
import { Place } from './place.ts';
import { RecentIds, recognisedMs } from './recent.ts';
import { type BusNames, laneCount } from './subjects.ts';

export type Handler = (envelope: EventEnvelope) => Promise<void>;

export interface FollowContext {
  link: NatsLink;
  jsm: JetStreamManager;
  names: BusNames;
  limits: StreamLimits;
  log: BusLog;
  handler: Handler;
}

/** Ids kept to recognise what a crashed server delivers again; the server writes its place in the stream lazily. */
const recentIds = 4_096;
/** Acknowledgements sent again after a reconnect: a server that crashed forgets about a tenth of a second of them. */
const repeatedAcks = 256;
const plainBatch = 256;
/** Enough to cover many events with one request; the server hands out one at a time all the same. */
const tierBatch = 64;

function read(message: Pulled, log: BusLog): EventEnvelope | null {
  try {
    return decodeEnvelope(message.text());
  } catch (error) {
    log.warn({ err: error, sequence: message.sequence }, 'a malformed event was dropped');
    return null;
  }
}

/** One lane of a tier: a durable consumer that the processes of the tier share. */
class TierLane {
  readonly puller: Puller;
  readonly #context: FollowContext;
  readonly #recent: RecentIds;
  readonly #lane: number;
  readonly #name: string;
  readonly #place = new Place();
  readonly #acknowledged: string[] = [];
  #current: Pulled | undefined;
  #alive: NodeJS.Timeout | undefined;

  constructor(context: FollowContext, recent: RecentIds, tier: string, lane: number) {
    this.#context = context;
    this.#recent = recent;
    this.#lane = lane;
    this.#name = `${tier}-${lane}`;
    this.puller = new Puller({
      link: context.link,
      log: context.log,
      stream: context.names.stream,
      batch: tierBatch,
      open: () => this.#open(),
      accept: () => true,
      handle: (message) => this.#handle(message),
      release: (message) => nak(context.link.connection, message.reply),
    });
  }

  async stop(): Promise<void> {
    await this.puller.stop();
    // Its handler takes too long: another process may have it.
    clearInterval(this.#alive);
    if (this.#current) nak(this.#context.link.connection, this.#current.reply);
  }

  async #open(): Promise<string> {
    const { jsm, names, limits, link } = this.#context;
    const { created, state } = await ensureStream(jsm, names, limits);
    this.#place.find({ created, last: state.last_seq });
    await ensureTierConsumer(jsm, names, { name: this.#name, lane: this.#lane, from: this.#place.next });
    // The last ones may have gone down with the link or the server, and the lane would stand for the ack wait.
    for (const reply of this.#acknowledged) ack(link.connection, reply);
    return this.#name;
  }

  async #handle(message: Pulled): Promise<void> {
    const { link, log } = this.#context;
    const { connection } = link;
    const envelope = read(message, log);
    if (!envelope) terminate(connection, message.reply);
    else if (this.#recent.has(envelope.id)) this.#done(message);
    else await this.#attempt(message, envelope);
  }

  async #attempt(message: Pulled, envelope: EventEnvelope): Promise<void> {
    const { log, handler, link } = this.#context;
    const { connection } = link;
    this.#current = message;
    this.#alive = setInterval(() => working(connection, message.reply), ackWait / 3);
    try {
      await handler(envelope);
      this.#recent.add(envelope.id);
      this.#done(message);
    } catch (error) {
      const wait = growingPause(message.attempt);
      log.warn({ err: error, id: envelope.id, attempt: message.attempt, wait }, 'an event was not handled');
      nak(connection, message.reply, wait);
    } finally {
      clearInterval(this.#alive);
      this.#current = undefined;
    }
  }

  #done(message: Pulled): void {
    this.#acknowledged.push(message.reply);
    if (this.#acknowledged.length > repeatedAcks) this.#acknowledged.shift();
    this.#place.next = message.sequence + 1;
    ack(this.#context.link.connection, message.reply);
  }
}

/** Shares the events with the other processes of the tier. Resolves when the consumers of all lanes exist. */
export async function followTier(context: FollowContext, tier: string): Promise<Following> {
  const recent = new RecentIds(recentIds, recognisedMs);
  const lanes = Array.from({ length: laneCount }, (_, lane) => new TierLane(context, recent, tier, lane));
  const stop = async () => {
    await Promise.all(lanes.map((lane) => lane.stop()));
  };
  try {
    await Promise.all(lanes.map((lane) => lane.puller.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

/** Follows every event from now on by the place in the stream, which outlives consumers, links and servers. */
class PlainFollower {
  readonly puller: Puller;
  readonly #context: FollowContext;
  readonly #recent = new RecentIds(recentIds, recognisedMs);
  readonly #stopping = new AbortController();
  readonly #place = new Place();
  #consumer = '';
  #deliveries = 0;

  constructor(context: FollowContext) {
    this.#context = context;
    this.puller = new Puller({
      link: context.link,
      log: context.log,
      stream: context.names.stream,
      batch: plainBatch,
      open: () => this.#open(),
      accept: (message) => this.#accept(message),
      handle: (message) => this.#handle(message),
      release: () => {},
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.puller.stop();
    this.#forget();
  }

  async #open(): Promise<string> {
    const { jsm, names, limits, log } = this.#context;
    const { created, state } = await ensureStream(jsm, names, limits);
    const { lost } = this.#place.find({ created, last: state.last_seq });
    if (lost > 0) log.warn({ lost }, 'the stream lost its newest events');
    this.#forget();
    const name = nuid.next();
    await addPlainConsumer(jsm, names, name, this.#place.next);
    this.#consumer = name;
    this.#deliveries = 0;
    return name;
  }

  #accept(message: Pulled): boolean {
    if (message.delivery !== this.#deliveries + 1) return false;
    this.#deliveries = message.delivery;
    const missed = message.sequence - this.#place.next;
    if (missed > 0) this.#context.log.warn({ missed }, 'events were dropped from the stream before they were followed');
    this.#place.next = message.sequence + 1;
    return true;
  }

  async #handle(message: Pulled): Promise<void> {
    const { log, handler } = this.#context;
    const { signal } = this.#stopping;
    const envelope = read(message, log);
    if (!envelope || this.#recent.has(envelope.id)) return;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await handler(envelope);
        this.#recent.add(envelope.id);
        return;
      } catch (error) {
        log.warn({ err: error, id: envelope.id, attempt }, 'an event was not handled');
      }
      await pause(growingPause(attempt), signal);
    }
  }

  #forget(): void {
    const { jsm, names, link } = this.#context;
    if (this.#consumer && link.up) jsm.consumers.delete(names.stream, this.#consumer).catch(() => {});
    this.#consumer = '';
  }
}

/** Every event from now on, for this process alone. Resolves when none emitted later can be missed. */
export async function followAll(context: FollowContext): Promise<Following> {
  const follower = new PlainFollower(context);
  await follower.puller.start();
  return { stop: () => follower.stop() };
}
