/** Milliseconds for which the bus recognises an id that it has seen: for every follower the same, and no longer. */
export const recognisedMs = 120_000;

/** Remembers ids for a while: at most `limit` of them, and, where `age` is given, none longer than that (ms). */
export class RecentIds {
  readonly #ids = new Map<string, number>();
  readonly #limit: number;
  readonly #age: number;

  constructor(limit: number, age = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
    this.#age = age;
  }

  has(id: string, now = Date.now()): boolean {
    const since = this.#ids.get(id);
    return since !== undefined && now - since < this.#age;
  }

  add(id: string, now = Date.now()): void {
    this.#ids.delete(id);
    this.#ids.set(id, now);
    for (const [oldest, since] of this.#ids) {
      if (this.#ids.size <= this.#limit && now - since < this.#age) return;
      this.#ids.delete(oldest);
    }
  }
}
