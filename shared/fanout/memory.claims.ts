import { claimToken } from './subjects.ts';

/** What was claimed in this process, until it expires. */
export class Claims {
  /** Per lifetime, as then the oldest is also the first to expire. */
  readonly #expiries = new Map<number, Map<string, number>>();
  readonly #limit: number;
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws Error where `limit` claims are held: forgetting one would let it be made again */
  claim(name: string, ttlMs: number, now = performance.now()): boolean {
    const held = this.#heldFor(ttlMs);
    this.#forget(now);
    const token = claimToken(name);
    if (held.has(token)) return false;
    if (this.#size >= this.#limit) throw new Error(`more than ${this.#limit} claims are held`);
    held.set(token, now + ttlMs);
    this.#size += 1;
    return true;
  }

  #heldFor(ttlMs: number): Map<string, number> {
    const held = this.#expiries.get(ttlMs) ?? new Map<string, number>();
    this.#expiries.set(ttlMs, held);
    return held;
  }

  #forget(now: number): void {
    for (const held of this.#expiries.values()) {
      for (const [token, expiry] of held) {
        if (expiry > now) break;
        held.delete(token);
        this.#size -= 1;
      }
    }
  }
}
