import type { Subscription } from 'nats';
import type { AdapterSocket } from './engine.ts';
import { Gap, type GapHost } from './gap.ts';
import { type LeaseHost, LeaseKeeper, leaseEvery } from './lease.keeper.ts';
import { type Live, LiveOrder } from './live.ts';
import type { FanoutLog, LogLimits } from './log.ts';
import type { Connecting, RecoveryOptions } from './options.ts';
import { pause } from './pause.ts';
import { Returns, type ReturnsHost } from './returns.ts';
import { applied, type Session } from './session.rules.ts';
import { decodeRecord, Sessions } from './sessions.ts';
import { encodeOffset } from './wire.ts';

export interface RecoveryHost extends LeaseHost, GapHost, ReturnsHost {
  packets: FanoutLog;
  roomsOf(sid: string): Iterable<string>;
  /** What a message means for this server, in the order of the log. */
  handle(live: Live): void;
}

/** Milliseconds for what a break of the link left open, when the server ends. */
const finishMs = 1_000;

/** Everything of one namespace that has to do with the log: order, gaps, sessions and their return. */
export class Recovery {
  readonly sessions: Sessions;
  readonly live: LiveOrder;
  readonly #host: RecoveryHost;
  readonly #log: FanoutLog;
  readonly #limits: LogLimits;
  readonly #leases: LeaseKeeper;
  readonly #returns: Returns;
  readonly #gap: Gap;
  readonly #stopping = new AbortController();
  #takeovers: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(host: RecoveryHost, options: RecoveryOptions) {
    this.#host = host;
    const { storage = 'file', replicas = 1, maxBytes = 256 * 1024 * 1024 } = options;
    const maxAge = host.maxAway + host.proof() + 4 * leaseEvery;
    const limits = { storage, replicas, maxBytes, maxAge };
    const log = host.packets;
    const live = new LiveOrder((one) => this.#handle(one));
    const leases = new LeaseKeeper(host, live);
    const sessions = new Sessions({ ...host, refresh: maxAge / 3, dataOf: ({ data }) => data });
    this.#returns = new Returns(host, options, { log, leases, sessions });
    this.#gap = new Gap(host, { log, limits, live, leases, sessions, lost: () => this.#returns.spoil() });
    this.#log = log;
    this.#limits = limits;
    this.live = live;
    this.#leases = leases;
    this.sessions = sessions;
  }

  /** Until the log is there, nothing is published. */
  start(): void {
    const { link, names, publisher, uid } = this.#host;
    publisher.hold();
    this.#gap.start();
    this.#leases.start();
    this.#takeovers = link.connection.subscribe(names.takeover(uid), {
      callback: (error, message) => {
        if (error) return;
        void this.#returns.handOver(message.string()).then(() => message.respond());
      },
    });
    void this.#open();
  }

  /** Writes what is left to write; sessions that end here were closed before. */
  async stop(): Promise<void> {
    const { link, publisher } = this.#host;
    this.#stopping.abort();
    clearInterval(this.#timer);
    this.#gap.stop();
    this.#leases.stop();
    this.#takeovers?.unsubscribe();
    publisher.release();
    await publisher.finish(finishMs);
    if (!link.up) return;
    const bound = pause(1_000, AbortSignal.timeout(1_000));
    await Promise.race([link.connection.flush().catch(() => {}), bound]);
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
    this.#returns.joined(socket);
  }

  /** Before anything is written to sockets that does not come out of the log. */
  settle(): void {
    this.#returns.settle();
  }

  /** Before a socket's rooms are forgotten. It may come back, elsewhere. */
  closed(sid: string, rooms: string[]): void {
    this.sessions.closed(sid, rooms, this.#leases.floor);
  }

  left(sid: string): void {
    if (this.sessions.has(sid)) this.sessions.left(sid);
    else this.#returns.giveUp(sid);
  }

  /** Null where it cannot be done without a gap, or not in time. */
  restore(pid: string, offset: string, connecting: Connecting) {
    return this.#returns.restore(pid, offset, connecting);
  }

  /** Sessions that a server had last and did not end, as the log knows them now. @throws Error within 12 s */
  async sessionsOf(server: string): Promise<Session[]> {
    const { names } = this.#host;
    const { subject } = this.#leases;
    const to = await this.#log.append(subject, this.#leases.message());
    const found = new Map<string, Session>();
    await this.#log.scan([names.sessions, subject], { from: 1, to, timeout: 10_000 }, (entry) => {
      if (entry.subject === subject) return true;
      const session = applied(found.get(entry.subject) ?? null, decodeRecord(entry.data), entry.sequence);
      if (session && session.state !== 'ended') found.set(entry.subject, session);
      else found.delete(entry.subject);
      return true;
    });
    return [...found.values()].filter((session) => session.server === server);
  }

  #handle(live: Live): void {
    this.#returns.hear(live);
    this.#host.handle(live);
  }

  async #open(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#log.ensure(this.#limits);
        break;
      } catch (error) {
        this.#host.log.warn({ err: error }, 'the log of packets could not be opened');
        await pause(1_000, signal);
      }
    }
    this.#host.publisher.release();
    this.#leases.write();
    if (signal.aborted) return;
    this.#timer = setInterval(() => this.#tick(), leaseEvery).unref();
  }

  #tick(): void {
    this.#leases.write();
    this.sessions.refresh();
  }
}
