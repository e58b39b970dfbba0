import type { Message, Offset } from './wire.ts';

export interface Live {
  sequence: number;
  message: Message;
  /** Of the subscription it came by, where the message names none. */
  rooms: readonly string[];
}

/** Messages that may wait while what was missed is read. */
const maxWaiting = 20_000;

/** Puts what arrives in the order of the log, each message once, and knows how far it came. */
export class LiveOrder {
  readonly #handle: (live: Live) => void;
  readonly #awaited = new Set<{ sequence: number; resolve: () => void }>();
  #place: Offset = { sequence: 0, id: '' };
  #waiting: Live[] | null = null;
  #overflown = false;

  constructor(handle: (live: Live) => void) {
    this.#handle = handle;
  }

  /** The last message that was handled; sequence 0 before the first. */
  get place(): Offset {
    return this.#place;
  }

  get paused(): boolean {
    return this.#waiting !== null;
  }

  /** Two subscriptions may bring one message, and after a reconnect what was read from the log comes again. */
  take(live: Live): void {
    if (this.#waiting) this.#wait(live, this.#waiting);
    else this.handle(live);
  }

  handle(live: Live): void {
    if (live.sequence <= this.#place.sequence) return;
    this.#place = { sequence: live.sequence, id: live.message.id };
    this.#handle(live);
    for (const one of this.#awaited) if (one.sequence <= live.sequence) one.resolve();
  }

  /** Resolves when everything up to the sequence was handled, or the signal is aborted. */
  async until(sequence: number, signal: AbortSignal): Promise<void> {
    if (this.#place.sequence >= sequence || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const one = { sequence, resolve };
    this.#awaited.add(one);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    this.#awaited.delete(one);
  }

  pause(): void {
    this.#waiting ??= [];
  }

  /** @returns false where too much came meanwhile: then it is dropped, and there is a gap */
  resume(): boolean {
    const waiting = this.#waiting ?? [];
    const whole = !this.#overflown;
    this.#waiting = null;
    this.#overflown = false;
    if (whole) for (const live of waiting) this.handle(live);
    return whole;
  }

  /** Starts anew: the next message that comes is the first. */
  forget(): void {
    this.#place = { sequence: 0, id: '' };
    this.#waiting = null;
    this.#overflown = false;
  }

  #wait(live: Live, waiting: Live[]): void {
    if (waiting.length < maxWaiting) waiting.push(live);
    else this.#overflown = true;
  }
}
