import type { Lease } from './session.rules.ts';

interface Mark {
  at: number;
  sequence: number;
}

const resolution = 1_000;

/** How far this server had come at which time, for as long as that matters. */
export class Leases {
  readonly #proof: () => number;
  #marks: Mark[] = [];

  /** @param proof milliseconds after which a connection that is still there has taken what was written before */
  constructor(proof: () => number) {
    this.#proof = proof;
  }

  /** Everything up to the sequence was handed to the connections; of what comes within a second the first counts. */
  reached(sequence: number, at = Date.now()): void {
    const last = this.#marks.at(-1);
    if (last && at >= last.at && at - last.at < resolution) return;
    this.#marks.push({ at, sequence });
    const enough = this.#marks.findLastIndex((mark) => mark.at <= at - this.#proof());
    if (enough > 0) this.#marks.splice(0, enough);
  }

  now(at = Date.now()): Lease {
    const mark = this.#marks.findLast((each) => each.at <= at - this.#proof());
    return { at, floor: mark?.sequence ?? 0 };
  }

  /** There was a gap: nothing from before counts. */
  forget(): void {
    this.#marks = [];
  }
}
