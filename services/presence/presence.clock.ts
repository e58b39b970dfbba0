/** Milliseconds between beats: edges are looked at as often. */
const beatEveryMs = 200;
/** A beat that took longer to come back was sent before a stall: what happened meanwhile is still behind it. */
const maxAgeMs = 1_000;
const maxStepMs = 3 * beatEveryMs;

/**
 * The time in which a replica could hear others, in milliseconds. It goes on with each of the replica's own beats that
 * comes back over the bus, and by no more than a few beats at once. So it stands still while the process is stopped or
 * its link is down, known or not, and when a beat has come back, all that the server had for this process before is
 * handled: a replica that heard nobody for a while never takes that for everybody's silence.
 */
export class PresenceClock {
  readonly #tick: () => void;
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #heardAt: number | undefined;
  #now = 0;

  constructor(tick: () => void) {
    this.#tick = tick;
  }

  get now(): number {
    return this.#now;
  }

  start(beat: () => void): void {
    this.#timer = setInterval(() => {
      beat();
      // Whoever waits for the clock also looks at the time while it stands still.
      for (const resolve of this.#waiting.splice(0)) resolve();
    }, beatEveryMs);
    beat();
  }

  /** A beat of our own came back; `at` is when it was sent (performance.now()). */
  heard(at: number): void {
    const now = performance.now();
    if (now - at > maxAgeMs) return;
    this.#now += Math.min(now - (this.#heardAt ?? now), maxStepMs);
    this.#heardAt = now;
    this.#tick();
  }

  /** Resolves at the next beat. */
  step(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
