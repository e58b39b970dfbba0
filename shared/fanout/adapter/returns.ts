import { unlessAborted } from './abort.ts';
import { type Arrival, Arrivals } from './arrivals.ts';
import type { BusLog } from './bus.log.ts';
import type { Delivery } from './delivery.ts';
import type { AdapterSocket } from './engine.ts';
import { Gate } from './gate.ts';
import type { Interest } from './interest.ts';
import type { LeaseKeeper } from './lease.keeper.ts';
import type { Live } from './live.ts';
import type { FanoutLog } from './log.ts';
import type { NamespaceNames } from './names.ts';
import type { NatsLink } from './nats.link.ts';
import type { Connecting, RecoveryOptions } from './options.ts';
import type { Outgoing } from './outgoing.ts';
import type { Publisher } from './publisher.ts';
import { type Authorize, type RestoreContext, restore } from './restore.ts';
import { roomsOf } from './session.rules.ts';
import type { Sessions } from './sessions.ts';
import type { Message } from './wire.ts';

export interface ReturnsHost {
  uid: string;
  link: NatsLink;
  log: BusLog;
  names: NamespaceNames;
  publisher: Publisher;
  interest: Interest;
  delivery: Delivery;
  isUsed(room: string): boolean;
  /** The packet as clients get it: with the offset of its place in the log. */
  outgoing(message: Message, sequence: number): Outgoing;
  drop(sid?: string): void;
  /** Milliseconds a session may be away. */
  maxAway: number;
}

const maxWaitingRestores = 10_000;

/** Sessions that come back, from the question for one to its connection. */
export class Returns {
  readonly #host: ReturnsHost;
  readonly #options: RecoveryOptions;
  readonly #log: FanoutLog;
  readonly #leases: LeaseKeeper;
  readonly #sessions: Sessions;
  readonly #arrivals: Arrivals;
  readonly #gate: Gate;
  /** Connected in this turn: what they missed is not written yet. */
  readonly #arrived: Arrival[] = [];

  constructor(
    host: ReturnsHost,
    options: RecoveryOptions,
    parts: { log: FanoutLog; leases: LeaseKeeper; sessions: Sessions },
  ) {
    this.#host = host;
    this.#options = options;
    this.#log = parts.log;
    this.#leases = parts.leases;
    this.#sessions = parts.sessions;
    this.#arrivals = new Arrivals(options.maxMissedBytes ?? 512 * 1024);
    this.#gate = new Gate(options.concurrency ?? 32, maxWaitingRestores);
  }

  hear(live: Live): void {
    this.#arrivals.hear(live, () => this.#host.outgoing(live.message, live.sequence));
  }

  /** A socket is connected: from here on it hears what comes. */
  joined(socket: AdapterSocket): void {
    const arrival = this.#arrivals.get(socket.id);
    if (!arrival || arrival.pid !== socket.pid) {
      this.#sessions.opened(socket, false);
      return;
    }
    this.#sessions.opened(socket, true);
    // After the CONNECT packet, which is about to be written: a client that got them before, and lost its connection
    // in between, would keep them and get them again.
    this.#arrived.push(arrival);
    process.nextTick(() => this.settle());
  }

  /** Writes what they missed to those who have just connected: before anything that does not come out of the log. */
  settle(): void {
    for (const arrival of this.#arrived.splice(0)) {
      const { sid } = arrival.session;
      this.#arrivals.take(sid);
      if (!this.#arrivals.fits(arrival)) this.#host.drop(sid);
      else this.#host.delivery.give(sid, Arrivals.packets(arrival));
    }
  }

  /** Ends a session's connection here, and resolves when nothing that was written of it can come after what is next. */
  async handOver(sid: string): Promise<void> {
    const { drop, publisher } = this.#host;
    await publisher.settled;
    drop(sid);
    publisher.flush();
  }

  giveUp(sid: string): void {
    this.#arrivals.take(sid);
  }

  /** There was a gap: none of them can be told that there was none. */
  spoil(): void {
    this.#arrivals.spoil();
  }

  /** Null where it cannot be done without a gap, or not in time. */
  async restore(pid: string, offset: string, connecting: Connecting): Promise<Arrival | null> {
    const { timeout = 5_000 } = this.#options;
    const signal = AbortSignal.timeout(timeout);
    const authorize: Authorize = async (session) => {
      const { sid, data } = session;
      return (await this.#options.authorizeRestore?.({ sid, data, rooms: roomsOf(session) }, connecting)) ?? true;
    };
    const restoring = this.#host.link
      .whenUp(timeout)
      .then(() => this.#gate.pass(() => restore(this.#context(timeout, signal), pid, offset, authorize), signal));
    try {
      return await unlessAborted(restoring, signal);
    } catch (error) {
      this.#host.log.warn({ err: error }, 'a session could not be restored');
      // Given up, whatever still comes of it.
      restoring.then(
        (arrival) => arrival && this.#arrivals.take(arrival.session.sid),
        () => {},
      );
      return null;
    }
  }

  #context(timeout: number, signal: AbortSignal): RestoreContext {
    const { uid, link, names, interest, isUsed, outgoing, maxAway } = this.#host;
    return {
      uid,
      link,
      names,
      maxAway,
      outgoing,
      timeout,
      signal,
      log: this.#log,
      arrivals: this.#arrivals,
      reached: (sequence) => this.#leases.reached(sequence, signal),
      hold: (rooms) => interest.hold(rooms, isUsed),
      effective: () => interest.effective(),
      handOver: (sid) => this.handOver(sid),
    };
  }
}
