/** How the requests of a minute are counted per key, here and at other gateways. Milliseconds are of any one clock. */

export const windowMs = 60_000;
/** Keys that are counted at a time; beyond them the one whose minute began first is forgotten. Over ones go as new come. */
export const maxKeys = 100_000;

interface Count {
  /** Here and elsewhere. */
  total: number;
  ends: number;
  /** Counted here and not told yet. */
  untold: number;
}

/** What one gateway counted of a key since it last told: how many, and the milliseconds its minute has left. */
export type Told = readonly [key: string, count: number, left: number];

export interface Taken {
  /** Milliseconds until the minute is over; undefined where the request is let through. */
  refusedFor?: number;
  /** Whether the others should hear of it now. */
  urgent: boolean;
}

/**
 * A key's minute begins with its first request at any gateway, and the others count in the same one: they are told how
 * much of it is left, so their clocks need not agree.
 */
export class Counts {
  /** In the order in which their minutes began. */
  readonly #counts = new Map<string, Count>();
  readonly #untold = new Set<string>();
  readonly #points: number;
  readonly #tellAfter: number;

  /** `tellAfter`: untold requests of a key that make telling urgent. */
  constructor(points: number, tellAfter: number) {
    this.#points = points;
    this.#tellAfter = tellAfter;
  }

  /** Milliseconds until the minute is over, where nothing more is let through in it. */
  refusedFor(key: string, now: number): number | undefined {
    const count = this.#current(key, now);
    return count && count.total >= this.#points ? count.ends - now : undefined;
  }

  take(key: string, now: number): Taken {
    const count = this.#current(key, now) ?? this.#begin(key, now + windowMs, now);
    if (count.total >= this.#points) return { refusedFor: count.ends - now, urgent: false };
    count.total += 1;
    count.untold += 1;
    this.#untold.add(key);
    // The last one that is left is worth telling at once, too.
    return { urgent: count.untold >= this.#tellAfter || count.total === this.#points };
  }

  /** At most `limit` keys at a time; what is returned counts as told. */
  tell(now: number, limit: number): Told[] {
    const told: Told[] = [];
    for (const key of this.#untold) {
      if (told.length === limit) break;
      this.#untold.delete(key);
      const count = this.#current(key, now);
      if (!count) continue;
      told.push([key, count.untold, count.ends - now]);
      count.untold = 0;
    }
    return told;
  }

  /** Counts in what another gateway tells. */
  hear([key, heard, left]: Told, now: number): void {
    const ends = now + Math.min(left, windowMs);
    if (ends <= now) return;
    const own = this.#current(key, now);
    // Half a minute apart they are not the same minute: ours is over for the other, or the other's is for us.
    if (own && own.ends - ends > windowMs / 2) return;
    const count = own && ends - own.ends <= windowMs / 2 ? own : this.#begin(key, ends, now);
    count.total += heard;
    count.ends = Math.min(count.ends, ends);
  }

  get size(): number {
    return this.#counts.size;
  }

  #current(key: string, now: number): Count | undefined {
    const count = this.#counts.get(key);
    return count && count.ends > now ? count : undefined;
  }

  #begin(key: string, ends: number, now: number): Count {
    this.#counts.delete(key);
    for (const [oldest, count] of this.#counts) {
      if (count.ends > now && this.#counts.size < maxKeys) break;
      this.#counts.delete(oldest);
    }
    const count = { total: 0, ends, untold: 0 };
    this.#counts.set(key, count);
    return count;
  }
}
