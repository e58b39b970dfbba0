import type { Lease } from './session.rules.ts';

export interface LeasesOptions {
  /** Milliseconds after which a connection that is still there has taken what was written before. */
  proof(): number;
  /** Milliseconds within which `reached` or `now` is called again. */
  every: number;
  /** Milliseconds since any time, which go on whatever the clock of the machine is set to. */
  uptime?: () => number;
}

interface Mark {
  /** By the clock of `Leases`. */
  at: number;
  sequence: number;
}

const resolution = 1_000;

/**
 * How far this server had come at which time, for as long as that matters. The time is that in which it could wait for
 * answers of its connections: it goes on by no more than `every` at once, so it stands still while the process does.
 */
export class Leases {
  readonly #proof: () => number;
  readonly #every: number;
  readonly #uptime: () => number;
  #marks: Mark[] = [];
  #clock = 0;
  #seen: number;

  constructor({ proof, every, uptime = () => performance.now() }: LeasesOptions) {
    this.#proof = proof;
    this.#every = every;
    this.#uptime = uptime;
    this.#seen = uptime();
  }

  /** Everything up to the sequence was handed to the connections; of what comes within a second the first counts. */
  reached(sequence: number): void {
    const at = this.#goOn();
    const last = this.#marks.at(-1);
    if (last && at - last.at < resolution) return;
    this.#marks.push({ at, sequence });
    const enough = this.#proved(at);
    if (enough > 0) this.#marks.splice(0, enough);
  }

  now(): Lease {
    const mark = this.#marks[this.#proved(this.#goOn())];
    return { at: Date.now(), floor: mark?.sequence ?? 0 };
  }

  /** There was a gap: nothing from before counts. */
  forget(): void {
    this.#marks = [];
  }

  /** Index of the last mark that is old enough, -1 where none is. */
  #proved(at: number): number {
    return this.#marks.findLastIndex((mark) => mark.at <= at - this.#proof());
  }

  #goOn(): number {
    const uptime = this.#uptime();
    this.#clock += Math.min(uptime - this.#seen, this.#every);
    this.#seen = uptime;
    return this.#clock;
  }
}
