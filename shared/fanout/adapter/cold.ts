import { createInbox, type Msg, type Subscription } from 'nats';
import type { NatsLink } from './nats.link.ts';

/** Milliseconds after which a room that nobody was in is tried again, once. */
const pauseMs = 15;
/** Rooms that are known to be heard, or waited for; the oldest are forgotten. */
const maxRooms = 10_000;
/** Milliseconds for which a room stays known. */
const knownFor = 1_000;

interface Room {
  subject: string;
  payload: Uint8Array;
  at: number;
  tried: boolean;
}

/**
 * Rooms nobody may be in yet: a server somewhere may be joining right now, as in `socket.join(room)` that nobody
 * awaited and an emit on another server at once. NATS tells who publishes that nobody listened; then the packet goes
 * out once more, a moment later, unless another followed it. Rooms that are heard cost nothing.
 */
export class ColdRooms {
  readonly #link: NatsLink;
  readonly #inbox = createInbox();
  readonly #rooms = new Map<string, Room>();
  readonly #subscription: Subscription;

  constructor(link: NatsLink) {
    this.#link = link;
    this.#subscription = link.connection.subscribe(`${this.#inbox}.>`, {
      callback: (error, message) => !error && this.#unheard(message),
    });
  }

  /** Publishes; the order of packets for one room stays. */
  publish(subject: string, payload: Uint8Array): void {
    const now = performance.now();
    const room = this.#rooms.get(subject);
    if (room && now - room.at < knownFor) {
      room.payload = payload;
      room.tried = true;
      this.#link.connection.publish(subject, payload);
      return;
    }
    this.#rooms.delete(subject);
    this.#rooms.set(subject, { subject, payload, at: now, tried: false });
    if (this.#rooms.size > maxRooms) this.#rooms.delete(this.#rooms.keys().next().value as string);
    this.#link.connection.publish(subject, payload, { reply: `${this.#inbox}.${subject}` });
  }

  close(): void {
    if (!this.#link.connection.isClosed()) this.#subscription.unsubscribe();
  }

  #unheard(message: Msg): void {
    const subject = message.subject.slice(this.#inbox.length + 1);
    const room = this.#rooms.get(subject);
    this.#rooms.delete(subject);
    // What followed was for those who were there then.
    if (!room || room.tried) return;
    const { payload } = room;
    setTimeout(() => {
      if (this.#rooms.has(subject) || !this.#link.up || this.#link.connection.isClosed()) return;
      this.#link.connection.publish(subject, payload);
    }, pauseMs).unref();
  }
}
