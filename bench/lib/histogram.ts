const bucketMs = 0.05;
/** Slower answers all count as this slow: 10 s is the product's own limit. */
const highestMs = 10_000;

/** Durations in buckets of 0.05 ms: counting one costs next to nothing, so it does not slow the load down. */
export class Histogram {
  readonly #buckets = new Uint32Array(highestMs / bucketMs + 1);
  #count = 0;

  add(milliseconds: number): void {
    const bucket = Math.min(this.#buckets.length - 1, Math.max(0, Math.floor(milliseconds / bucketMs)));
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1;
    this.#count += 1;
  }

  get count(): number {
    return this.#count;
  }

  /** Milliseconds within which the given share (0 to 1) was answered; 0 where nothing was. */
  quantile(share: number): number {
    let left = share * this.#count;
    for (const [index, count] of this.#buckets.entries()) {
      left -= count;
      if (left <= 0 && this.#count > 0) return (index + 1) * bucketMs;
    }
    return 0;
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
