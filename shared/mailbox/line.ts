import { Slots } from './slots.ts';

export interface LineBounds {
  /** Tasks that run at a time. */
  readonly places: number;
  /** Tasks that wait for one of them. */
  readonly waiting: number;
  /** What those tasks hold together. */
  readonly bytes: number;
}

/** Runs tasks in the order in which they come, so many at a time, and takes no more than may wait. */
export class Line {
  readonly #slots: Slots;
  readonly #bounds: LineBounds;
  #waiting = 0;
  #bytes = 0;

  constructor(bounds: LineBounds) {
    this.#slots = new Slots(bounds.places);
    this.#bounds = bounds;
  }

  /** Ends as the task does, which holds so many bytes while it waits; undefined where it would be one too many. */
  run(bytes: number, task: () => Promise<void>): Promise<void> | undefined {
    if (this.#slots.tryTake()) return this.#begin(task);
    if (this.#waiting >= this.#bounds.waiting || this.#bytes + bytes > this.#bounds.bytes) return undefined;
    this.#waiting += 1;
    this.#bytes += bytes;
    return this.#slots.take().then(() => {
      this.#waiting -= 1;
      this.#bytes -= bytes;
      return this.#begin(task);
    });
  }

  #begin(task: () => Promise<void>): Promise<void> {
    return task().finally(() => this.#slots.give());
  }
}
