const minuteMs = 60_000;

/** How much of something there was in a minute, which begins with the first of it. */
export class Minute {
  #ends = 0;
  #count = 0;

  /** How many there are with this one. */
  add(now = performance.now()): number {
    if (now >= this.#ends) {
      this.#ends = now + minuteMs;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count;
  }

  /** Whole seconds until it is over, at least 1. */
  secondsLeft(now = performance.now()): number {
    return Math.max(1, Math.ceil((this.#ends - now) / 1_000));
  }
}
