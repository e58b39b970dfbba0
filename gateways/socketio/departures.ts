import type { Fanout } from '../../shared/fanout/fanout.ts';
import { passage, type User } from './rooms.ts';

/** Milliseconds within which who comes back has not left at all. */
const graceMs = 5_000;
const maxPending = 10_000;

interface Departure {
  user: User;
  rooms: string[];
  /** Runs until the departure is announced, then until nobody can come back. */
  timer: NodeJS.Timeout;
  announced: boolean;
}

/**
 * Tells rooms of connections that ended: of those that may be recovered after a while only, so that a short
 * interruption is no departure; of who comes back later, that it joined again.
 */
export class Departures {
  readonly #fanout: Pick<Fanout, 'emit'>;
  /** Milliseconds within which a connection may come back; 0: none does. */
  readonly #recoveryMs: number;
  readonly #pending = new Map<string, Departure>();

  constructor(fanout: Pick<Fanout, 'emit'>, recoveryMs: number) {
    this.#fanout = fanout;
    this.#recoveryMs = recoveryMs;
  }

  left(socketId: string, user: User, rooms: string[], recoverable: boolean): void {
    if (rooms.length === 0) return;
    if (this.#recoveryMs === 0 || !recoverable || this.#pending.size >= maxPending) {
      this.#tell('user_left', user, rooms);
      return;
    }
    const timer = setTimeout(() => this.#announce(socketId), graceMs);
    timer.unref();
    this.#pending.set(socketId, { user, rooms, timer, announced: false });
  }

  /** A connection was recovered, here or on another gateway. */
  returned(socketId: string): void {
    const departure = this.#pending.get(socketId);
    if (!departure) return;
    clearTimeout(departure.timer);
    this.#pending.delete(socketId);
    if (departure.announced) this.#tell('user_joined', departure.user, departure.rooms);
  }

  /** The gateway ends: whoever was there can only come back elsewhere. */
  close(): void {
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
  }

  #announce(socketId: string): void {
    const departure = this.#pending.get(socketId);
    if (!departure) return;
    departure.announced = true;
    this.#tell('user_left', departure.user, departure.rooms);
    departure.timer = setTimeout(() => this.#pending.delete(socketId), this.#recoveryMs);
    departure.timer.unref();
  }

  #tell(event: 'user_joined' | 'user_left', user: User, rooms: string[]): void {
    for (const room of rooms) this.#fanout.emit([{ kind: 'room', name: room }], event, [passage(user, room)]);
  }
}

/** Reasons after which Socket.IO keeps a session (its own list is not exported). */
export const recoverable: ReadonlySet<string> = new Set([
  'transport error',
  'transport close',
  'forced close',
  'ping timeout',
  'server shutting down',
  'forced server close',
]);
