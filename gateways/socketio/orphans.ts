import { type NatsAdapter, roomsOf, type Session, serverBack, serverLost } from '../../shared/fanout/adapter/index.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Departures } from './departures.ts';
import { roomNames, type User } from './rooms.ts';

/** What a connection leaves in its session for the others. */
export interface OfUser {
  user?: User;
}

type Adopted = Pick<Session, 'sid' | 'state'>;

/** Milliseconds for which a gateway that is gone is remembered: whoever was to see to its connections may go as well. */
const rememberedFor = 120_000;

/**
 * The connections of gateways that are gone, and cannot tell of them any more. One of the others does: as of its own,
 * those that do not come back have left their rooms.
 */
export class Orphans {
  readonly #adapter: NatsAdapter;
  readonly #departures: Departures;
  readonly #log: Pick<Log, 'warn'>;
  /** Gateways that are gone, and when they were heard last (ms). */
  readonly #gone = new Map<string, number>();
  /** Connections of each that this gateway tells of. */
  readonly #adopted = new Map<string, Adopted[]>();
  /** Connections that came back while sessions are read. */
  #returned: Set<string> | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(adapter: NatsAdapter, departures: Departures, log: Pick<Log, 'warn'>) {
    this.#adapter = adapter;
    this.#departures = departures;
    this.#log = log;
    adapter.on(serverLost, (gateway: string, seen: number) => this.#lost(gateway, seen));
    adapter.on(serverBack, (gateway: string) => this.#back(gateway));
  }

  /** A connection was recovered, here or on another gateway. */
  returned(socketId: string): void {
    this.#returned?.add(socketId);
  }

  #lost(gateway: string, seen: number): void {
    const now = Date.now();
    this.#gone.set(gateway, seen);
    for (const [each, at] of this.#gone) {
      if (now - at < rememberedFor) continue;
      this.#gone.delete(each);
      this.#adopted.delete(each);
    }
    if (!this.#adapter.isFirst) return;
    this.#work = this.#work.then(async () => {
      for (const [each, at] of [...this.#gone]) if (!this.#adopted.has(each)) await this.#adopt(each, at);
    });
  }

  async #adopt(gateway: string, seen: number): Promise<void> {
    this.#returned = new Set();
    try {
      const sessions = await this.#adapter.sessionsOf(gateway);
      if (!this.#gone.has(gateway)) return;
      const adopted = sessions.filter(({ sid }) => !this.#returned?.has(sid)).filter((one) => this.#take(one, seen));
      this.#adopted.set(
        gateway,
        adopted.map(({ sid, state }) => ({ sid, state })),
      );
    } catch (error) {
      this.#log.warn({ err: error, gateway }, 'who has left with a gateway is not known');
    } finally {
      this.#returned = undefined;
    }
  }

  #take(session: Session, seen: number): boolean {
    const { user } = session.data as OfUser;
    const rooms = roomNames(roomsOf(session));
    if (!user || rooms.length === 0) return false;
    const { sid, closed, since } = session;
    const departure = { user, rooms, key: `${sid} ${since}` };
    this.#departures.adopted(sid, departure, { left: closed?.at ?? seen, seen });
    return true;
  }

  /** It was only silent: its connections are where they were, and of those that had ended it tells itself. */
  #back(gateway: string): void {
    this.#gone.delete(gateway);
    for (const { sid, state } of this.#adopted.get(gateway) ?? []) {
      if (state === 'closed') this.#departures.forget(sid);
      else this.#departures.returned(sid);
    }
    this.#adopted.delete(gateway);
  }
}
