import { StoreUnavailable } from './collection.ts';

/** Half of the 10 s in which clients are told that a store does not answer: a caller may need two operations. */
export const OPERATION_MS = 5_000;
export const HEALTH_MS = 1_000;

/** The result of `work`, or StoreUnavailable after `ms`; work that ends later is on its own, its error is nobody's. */
export async function within<R>(ms: number, work: Promise<R>, what: string): Promise<R> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreUnavailable(`${what}: no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs tasks one after another, in the order they came; a bounded number may wait. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** @throws StoreUnavailable when too many wait already */
  async run<R>(task: () => Promise<R>): Promise<R> {
    if (this.#waiting >= this.#max) throw new StoreUnavailable(`${this.#max} changes wait already`);
    this.#waiting += 1;
    const result = this.#tail.then(task);
    this.#tail = result.then(
      () => this.#done(),
      () => this.#done(),
    );
    return result;
  }

  #done(): void {
    this.#waiting -= 1;
  }
}
