import { cpuSeconds } from './cpu.ts';
import { Histogram } from './histogram.ts';
import type { LoadResult } from './load.types.ts';

/** One measurement: begins when made, ends with `result`. */
export class Measure {
  readonly #histogram = new Histogram();
  readonly #pids: readonly number[];
  readonly #cpuBefore: number | null;
  readonly #started = performance.now();
  failures = 0;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#cpuBefore = total(pids);
  }

  answered(milliseconds: number): void {
    this.#histogram.add(milliseconds);
  }

  result(): LoadResult {
    const seconds = (performance.now() - this.#started) / 1_000;
    const cpu = total(this.#pids);
    const { count } = this.#histogram;
    const cpuMicros = cpu === null || this.#cpuBefore === null ? null : ((cpu - this.#cpuBefore) * 1e6) / count;
    return {
      requestsPerSecond: count / seconds,
      p50: this.#histogram.quantile(0.5),
      p99: this.#histogram.quantile(0.99),
      requests: count,
      failures: this.failures,
      cpuMicros,
    };
  }
}

function total(pids: readonly number[]): number | null {
  const seconds = pids.map(cpuSeconds);
  return seconds.includes(undefined) ? null : (seconds as number[]).reduce((sum, one) => sum + one, 0);
}
