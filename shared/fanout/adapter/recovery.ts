import type { Subscription } from 'nats';
import type { BusLog } from '../envelope.ts';
import type { NatsLink } from '../nats.link.ts';
import { pause } from '../pause.ts';
import { Arrivals } from './arrivals.ts';
import type { Delivery } from './delivery.ts';
import type { AdapterSocket } from './engine.ts';
import { Gate } from './gate.ts';
import type { Interest } from './interest.ts';
import { Leases } from './leases.ts';
import { type Live, LiveOrder } from './live.ts';
import { type Entry, FanoutLog } from './log.ts';
import { everybody, type FanoutNames, leaseAudience, type NamespaceNames, roomAudience } from './names.ts';
import type { Connecting, RecoveryOptions } from './options.ts';
import type { Outgoing } from './outgoing.ts';
import type { Publisher } from './publisher.ts';
import { type Authorize, type RestoreContext, restore } from './restore.ts';
import { decodeRecord, Sessions } from './sessions.ts';
import { decodeMessage, encodeMessage, encodeOffset, encodeValue, type Message } from './wire.ts';

export interface RecoveryHost {
  uid: string;
  link: NatsLink;
  log: BusLog;
  fanout: FanoutNames;
  names: NamespaceNames;
  publisher: Publisher;
  interest: Interest;
  delivery: Delivery;
  newId(): string;
  roomsOf(sid: string): Iterable<string>;
  isUsed(room: string): boolean;
  /** The packet as clients get it: with the offset of its place in the log. */
  outgoing(message: Message, sequence: number): Outgoing;
  /** What a message means for this server, in the order of the log. */
  handle(live: Live): void;
  /** Closes the connections of all of the namespace's sockets, or of one; they may come back. */
  drop(sid?: string): void;
  /** Milliseconds a session may be away. */
  maxAway: number;
  /** Milliseconds after which a connection that is still there has taken what was written before. */
  proof(): number;
}

const leaseEvery = 5_000;
const catchUpBound = 10_000;
const maxWaitingRestores = 10_000;

/** Everything of one namespace that has to do with the log: order, gaps, sessions and their return. */
export class Recovery {
  readonly sessions: Sessions;
  readonly live: LiveOrder;
  readonly #host: RecoveryHost;
  readonly #options: RecoveryOptions;
  readonly #log: FanoutLog;
  readonly #leases: Leases;
  readonly #arrivals: Arrivals;
  readonly #gate: Gate;
  readonly #stopping = new AbortController();
  readonly #subscriptions: Subscription[] = [];
  #timer: NodeJS.Timeout | undefined;
  #forget = () => {};
  #outages = 0;
  #catchingUp: Promise<void> | undefined;

  constructor(host: RecoveryHost, options: RecoveryOptions) {
    this.#host = host;
    this.#options = options;
    const { storage = 'file', replicas = 1, maxBytes = 256 * 1024 * 1024 } = options;
    const { link, fanout, maxAway } = host;
    const maxAge = maxAway + host.proof() + 4 * leaseEvery;
    this.#log = new FanoutLog(link, fanout, { storage, replicas, maxBytes, maxAge });
    this.#leases = new Leases(host.proof);
    this.#arrivals = new Arrivals(options.maxMissedBytes ?? 512 * 1024);
    this.#gate = new Gate(options.concurrency ?? 32, maxWaitingRestores);
    this.live = new LiveOrder((live) => this.#handle(live));
    this.sessions = new Sessions({
      ...host,
      refresh: maxAge / 3,
      dataOf: ({ data }) => data,
    });
  }

  /** Until the log is there, nothing is published. */
  start(): void {
    const { link, names, publisher, uid } = this.#host;
    publisher.hold();
    this.#forget = link.onBack(() => this.#catchUp());
    const { connection } = link;
    this.#subscriptions.push(
      connection.subscribe(names.live(leaseAudience(uid)), {
        callback: (error, message) => !error && this.#leaseCame(message),
      }),
      connection.subscribe(names.takeover(uid), {
        callback: (error, message) => {
          if (error) return;
          this.#host.drop(message.string());
          publisher.flush();
          message.respond();
        },
      }),
    );
    void this.#open();
  }

  /** Writes what is left to write; sessions that end here were closed before. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    this.#forget();
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#host.publisher.release();
    if (this.#host.link.up)
      await Promise.race([
        this.#host.link.connection.flush().catch(() => {}),
        pause(1_000, AbortSignal.timeout(1_000)),
      ]);
  }

  /** The offset that a packet gets which is not in the log: a client takes any last text for one. */
  get offset(): string | undefined {
    const { place } = this.live;
    return place.sequence > 0 ? encodeOffset(place) : undefined;
  }

  /** Sequences of the log are one order for all: a message of another subject may have come before it was stored. */
  take(live: Live): void {
    this.live.take(live);
  }

  /** A socket is connected: from here on it hears what comes. */
  joined(socket: AdapterSocket): void {
    const arrival = this.#arrivals.get(socket.id);
    if (!arrival || arrival.pid !== socket.pid) {
      this.sessions.opened(socket, false);
      return;
    }
    this.sessions.opened(socket, true);
    // After the CONNECT packet, which is about to be written: a client that got them before, and lost its connection
    // in between, would keep them and get them again.
    process.nextTick(() => {
      this.#arrivals.take(socket.id);
      if (!this.#arrivals.fits(arrival)) this.#host.drop(socket.id);
      else this.#host.delivery.give(socket.id, Arrivals.packets(arrival));
    });
  }

  /** Before a socket's rooms are forgotten. It may come back, elsewhere. */
  closed(sid: string, rooms: string[]): void {
    this.sessions.closed(sid, rooms, this.#leases.now().floor);
  }

  left(sid: string): void {
    if (this.sessions.has(sid)) this.sessions.left(sid);
    else this.#arrivals.take(sid);
  }

  async restore(pid: string, offset: string, connecting: Connecting) {
    const authorize: Authorize = async (session) =>
      (await this.#options.authorizeRestore?.({ sid: session.sid, data: session.data }, connecting)) ?? true;
    try {
      return await this.#gate.pass(() => restore(this.#context(), pid, offset, authorize));
    } catch (error) {
      this.#host.log.warn({ err: error }, 'a session could not be restored');
      return null;
    }
  }

  #context(): RestoreContext {
    const { uid, link, names, interest, drop, publisher, isUsed, outgoing, maxAway } = this.#host;
    return {
      uid,
      link,
      names,
      maxAway,
      outgoing,
      log: this.#log,
      arrivals: this.#arrivals,
      timeout: this.#options.timeout ?? 5_000,
      hold: (rooms) => interest.hold(rooms, isUsed),
      effective: () => interest.effective(),
      drop: (sid) => {
        drop(sid);
        publisher.flush();
      },
    };
  }

  #handle(live: Live): void {
    this.#arrivals.hear(live, () => this.#host.outgoing(live.message, live.sequence));
    this.#host.handle(live);
  }

  async #open(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#log.ensure();
        break;
      } catch (error) {
        this.#host.log.warn({ err: error }, 'the log of packets could not be opened');
        await pause(1_000, signal);
      }
    }
    this.#host.publisher.release();
    this.#lease();
    if (signal.aborted) return;
    this.#timer = setInterval(() => this.#tick(), leaseEvery).unref();
  }

  #tick(): void {
    this.#lease();
    this.sessions.refresh();
  }

  #lease(): void {
    const { names, publisher, uid } = this.#host;
    publisher.publish(names.log(leaseAudience(uid)), this.#leaseMessage());
  }

  #leaseMessage(): Uint8Array {
    const header = { id: this.#host.newId(), rooms: [], except: [], control: true };
    return encodeMessage(header, encodeValue(this.#leases.now()));
  }

  #leaseCame({ data, headers }: { data: Uint8Array; headers?: { get(name: string): string } | undefined }): void {
    const sequence = Number(headers?.get('Nats-Sequence') ?? 0);
    this.live.take({ sequence, message: decodeMessage(data), rooms: [] });
    if (!this.live.paused) this.#leases.reached(sequence);
  }

  #catchUp(): void {
    this.live.pause();
    this.#outages += 1;
    this.#catchingUp ??= this.#readGap().finally(() => {
      this.#catchingUp = undefined;
    });
  }

  /** After the link was down: what came meanwhile is read from the log, before what comes now. */
  async #readGap(): Promise<void> {
    const { signal } = this.#stopping;
    const until = Date.now() + catchUpBound;
    for (let tries = 0; !signal.aborted && Date.now() < until; tries += 1) {
      if (tries > 0) await pause(250, signal);
      try {
        const outages = this.#outages;
        await this.#log.ensure();
        if (!(await this.#readAll())) break;
        // The link was down once more: what waits has a hole.
        if (outages !== this.#outages) continue;
        if (!this.live.resume()) break;
        this.sessions.refresh(true);
        return;
      } catch (error) {
        this.#host.log.warn({ err: error }, 'what came while NATS was away could not be read yet');
      }
    }
    if (!signal.aborted) this.#lose();
  }

  /** False where something is missing. @throws Error where that cannot be told now */
  async #readAll(): Promise<boolean> {
    const { names, uid } = this.#host;
    const { sequence, id } = this.live.place;
    const end = await this.#log.append(names.log(leaseAudience(uid)), this.#leaseMessage());
    if (sequence === 0) return this.#host.delivery.size === 0;
    // A server that crashed may have forgotten its newest messages and given their places to others.
    if (end <= sequence || (await this.#log.idAt(sequence)) !== id) return false;
    const rooms = new Map([...this.#host.interest.rooms].map((room) => [names.log(roomAudience(room)), [room]]));
    rooms.set(names.log(everybody), []);
    return this.#log.scan([names.everything, names.sessions], sequence + 1, catchUpBound, (entry) => {
      if (entry.subject.startsWith(names.sessions.slice(0, -1))) this.#movedAway(entry.data);
      else this.#handleLate(entry, rooms.get(entry.subject));
      return true;
    });
  }

  /** Nobody here is in the room where `implied` is missing and the message names none itself. */
  #handleLate({ sequence, data }: Entry, implied: string[] | undefined): void {
    const message = decodeMessage(data);
    const rooms = message.rooms.length > 0 ? message.rooms : implied;
    if (rooms && !message.volatile) this.live.handle({ sequence, message, rooms });
  }

  /** Another server has restored a session that is still here: it was not to be reached then. */
  #movedAway(data: Uint8Array): void {
    const record = decodeRecord(data);
    if (record.t !== 'open' || record.server === this.#host.uid || !this.sessions.has(record.sid)) return;
    this.sessions.disown(record.sid);
    this.#host.drop(record.sid);
  }

  /** There is a gap, and nobody must believe there is none: all come back, and the log decides about each. */
  #lose(): void {
    this.#host.log.warn({ place: this.live.place }, 'packets were missed: the clients are sent back');
    this.#leases.forget();
    this.#arrivals.spoil();
    this.live.forget();
    this.#host.drop();
    // Those who come back to a server that never knew: what others heard may not be in the log.
    const { names, publisher } = this.#host;
    const header = { id: this.#host.newId(), rooms: [], except: [], control: true };
    publisher.publish(names.log(everybody), encodeMessage(header, encodeValue({ cut: true })));
  }
}
