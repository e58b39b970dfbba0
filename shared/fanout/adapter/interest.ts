import { deadline, type Msg, type Subscription } from 'nats';
import { roomAudience } from './names.ts';
import type { NatsLink } from './nats.link.ts';

/** Milliseconds a room's subscription outlives its last local socket. */
const linger = 5_000;
/** Subscriptions that may linger; the oldest go first. */
const maxLingering = 1_000;
/** Milliseconds somebody who joins waits for NATS at most. */
const effectBound = 5_000;

/** Subscriptions of one server: one per room while a local socket is in it. */
export class Interest {
  readonly #link: NatsLink;
  readonly #live: (audience: string) => string;
  readonly #receive: (room: string, message: Msg) => void;
  readonly #before: () => void;
  readonly #rooms = new Map<string, Subscription>();
  readonly #lingering = new Map<string, number>();
  readonly #holds = new Map<string, number>();
  #effect: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param before called before NATS is asked to confirm: what must be at the server by then is published in it */
  constructor(
    link: NatsLink,
    live: (audience: string) => string,
    receive: (room: string, message: Msg) => void,
    before: () => void,
  ) {
    this.#link = link;
    this.#live = live;
    this.#receive = receive;
    this.#before = before;
  }

  /** Rooms that are subscribed to, those that linger included. */
  get rooms(): Iterable<string> {
    return this.#rooms.keys();
  }

  /** Somebody is in the room now. True where that needed a new subscription. */
  add(room: string): boolean {
    this.#lingering.delete(room);
    if (this.#rooms.has(room) || this.#link.connection.isClosed()) return false;
    const callback = (error: Error | null, message: Msg) => {
      if (!error) this.#receive(room, message);
    };
    this.#rooms.set(room, this.#link.connection.subscribe(this.#live(roomAudience(room, '*')), { callback }));
    return true;
  }

  /** Nobody is in the room any more. */
  remove(room: string): void {
    if (!this.#rooms.has(room) || this.#holds.has(room)) return;
    this.#lingering.set(room, performance.now() + linger);
    if (this.#lingering.size > maxLingering) this.#drop(this.#lingering.keys().next().value as string);
    this.#timer ??= setInterval(() => this.#sweep(), 1_000).unref();
  }

  /** Keeps rooms, whoever is in them, until the function that it returns is called. */
  hold(rooms: Iterable<string>, isUsed: (room: string) => boolean): () => void {
    const held = [...rooms];
    for (const room of held) {
      this.add(room);
      this.#holds.set(room, (this.#holds.get(room) ?? 0) + 1);
    }
    return () => {
      for (const room of held.splice(0)) {
        const left = (this.#holds.get(room) ?? 1) - 1;
        if (left > 0) this.#holds.set(room, left);
        else {
          this.#holds.delete(room);
          if (!isUsed(room)) this.remove(room);
        }
      }
    };
  }

  /** Resolves when NATS knows all subscriptions made so far, or after 5 s; one round trip for all who ask in a turn. */
  effective(): Promise<void> {
    this.#effect ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#effect = undefined;
        void this.#confirm().then(resolve);
      });
    });
    return this.#effect;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const subscription of this.#rooms.values()) subscription.unsubscribe();
    this.#rooms.clear();
    this.#lingering.clear();
  }

  async #confirm(): Promise<void> {
    const until = performance.now() + effectBound;
    while (performance.now() < until && !this.#link.connection.isClosed()) {
      if (!(await this.#link.whenUp(until - performance.now()))) return;
      this.#before();
      const left = Math.max(1, until - performance.now());
      const done = await deadline(this.#link.connection.flush(), left).then(
        () => true,
        () => false,
      );
      if (done) return;
    }
  }

  #sweep(): void {
    const now = performance.now();
    for (const [room, until] of this.#lingering) {
      if (until > now) break;
      this.#drop(room);
    }
    if (this.#lingering.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #drop(room: string): void {
    this.#lingering.delete(room);
    this.#rooms.get(room)?.unsubscribe();
    this.#rooms.delete(room);
  }
}
