import type { Fanout } from '../../shared/fanout/fanout.ts';
import type { Told } from './once.ts';
import { type Passage, passage, type User } from './rooms.ts';

/** Milliseconds within which who comes back has not left at all. */
const graceMs = 5_000;
/** At least, after another gateway is taken for gone: it may only have been silent. */
const adoptedGraceMs = 2_000;
const maxPending = 10_000;

export interface Leaving {
  user: User;
  rooms: string[];
  /** Where other gateways may tell the same: what they all know it by. */
  key?: string;
}

interface Departure extends Leaving {
  /** Runs until the departure is announced, then until nobody can come back. */
  timer: NodeJS.Timeout;
  announced: boolean;
}

type EmitOnce = (told: Told, room: string, event: string, passage: Passage) => void;

/**
 * Tells rooms of connections that ended: of those that may be recovered after a while only, so that a short
 * interruption is no departure; of who comes back later, that it joined again.
 */
export class Departures {
  readonly #fanout: Pick<Fanout, 'emit'>;
  readonly #emitOnce: EmitOnce;
  /** Milliseconds within which a connection may come back; 0: none does. */
  readonly #recoveryMs: number;
  readonly #pending = new Map<string, Departure>();

  constructor(fanout: Pick<Fanout, 'emit'>, recoveryMs: number, once: EmitOnce = () => {}) {
    this.#fanout = fanout;
    this.#emitOnce = once;
    this.#recoveryMs = recoveryMs;
  }

  /** @returns whether its rooms were told at once */
  left(socketId: string, user: User, rooms: string[], recoverable: boolean): boolean {
    const waits = recoverable && this.#recoveryMs > 0 && this.#pending.size < maxPending;
    if (!waits) this.#tell('user_left', { user, rooms });
    else if (rooms.length > 0) this.#wait(socketId, { user, rooms }, graceMs);
    return !waits;
  }

  /**
   * A connection of another gateway, which is gone.
   * @param times when the connection ended, and when its gateway was heard last (ms)
   */
  adopted(socketId: string, leaving: Leaving, { left, seen }: { left: number; seen: number }): void {
    if (this.#pending.has(socketId) || this.#pending.size >= maxPending) return;
    const announceIn = left + graceMs - Date.now();
    const mayReturnFor = announceIn + this.#recoveryMs;
    if (left + graceMs > seen) this.#wait(socketId, leaving, Math.max(adoptedGraceMs, announceIn));
    // Its own gateway has told of it.
    else if (mayReturnFor > 0) this.#await(socketId, { ...leaving, announced: true }, mayReturnFor);
  }

  /** A connection was recovered, here or on another gateway. */
  returned(socketId: string): void {
    const departure = this.forget(socketId);
    if (departure?.announced) this.#tell('user_joined', departure);
  }

  /** It is another gateway's again to tell of. */
  forget(socketId: string): Omit<Departure, 'timer'> | undefined {
    const departure = this.#pending.get(socketId);
    clearTimeout(departure?.timer);
    this.#pending.delete(socketId);
    return departure;
  }

  /** The gateway ends: whoever was there can only come back elsewhere. */
  close(): void {
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
  }

  #announce(socketId: string): void {
    const departure = this.#pending.get(socketId);
    if (!departure) return;
    this.#tell('user_left', departure);
    this.#await(socketId, { ...departure, announced: true }, this.#recoveryMs);
  }

  #wait(socketId: string, leaving: Leaving, ms: number): void {
    const timer = setTimeout(() => this.#announce(socketId), ms).unref();
    this.#pending.set(socketId, { ...leaving, timer, announced: false });
  }

  /** It may still come back, and has joined again then. */
  #await(socketId: string, departure: Omit<Departure, 'timer'>, ms: number): void {
    const timer = setTimeout(() => this.#pending.delete(socketId), ms).unref();
    this.#pending.set(socketId, { ...departure, timer });
  }

  #tell(event: 'user_joined' | 'user_left', { user, rooms, key }: Leaving): void {
    for (const room of rooms) {
      const told = passage(user, room);
      if (key === undefined) this.#fanout.emit([{ kind: 'room', name: room }], event, [told]);
      else this.#emitOnce({ id: JSON.stringify([key, room]), at: told.timestamp }, room, event, told);
    }
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
