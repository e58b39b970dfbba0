import type { PresenceChange, PresenceSnapshot, SessionChange } from '../../shared/fanout/presence.notices.ts';

/** Changes kept while a snapshot comes; where there are more, another one is asked for. */
const maxLater = 10_000;
/** Milliseconds without a part after which the rest is given up. */
const patienceMs = 1_000;

/** A snapshot whose parts are coming, and the changes that come between them. */
export class Assembly {
  readonly sequence: number;
  readonly later: PresenceChange[] = [];
  readonly #parts: SessionChange[][] = [];
  #movedAt = 0;

  constructor(sequence: number) {
    this.sequence = sequence;
  }

  /** Whether this is the part that is next. */
  takes({ sequence, part, changes }: PresenceSnapshot, now: number): boolean {
    if (sequence !== this.sequence || part !== this.#parts.length) return false;
    this.#parts.push(changes);
    this.#movedAt = now;
    return true;
  }

  /** Whether a change was kept for when the snapshot is complete. */
  holds(change: PresenceChange): boolean {
    if (change.sequence <= this.sequence) return true;
    if (this.later.length >= maxLater) return false;
    this.later.push(change);
    return true;
  }

  isMoving(now: number): boolean {
    return now - this.#movedAt < patienceMs;
  }

  readonly changes = (): SessionChange[] => this.#parts.flat();
}
