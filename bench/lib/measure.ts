import { availableParallelism } from 'node:os';
import { cpuSeconds, machineSeconds } from './cpu.ts';
import { Histogram } from './histogram.ts';
import type { LoadOptions, LoadResult } from './load.types.ts';

type Processes = Pick<LoadOptions, 'pids' | 'helperPids'>;

/** One measurement: begins when made, ends with `result`. */
export class Measure {
  readonly #histogram = new Histogram();
  readonly #processes: Processes;
  readonly #before: ReturnType<typeof usage>;
  readonly #started = performance.now();
  failures = 0;

  constructor(processes: Processes) {
    this.#processes = processes;
    this.#before = usage(processes);
  }

  answered(milliseconds: number): void {
    this.#histogram.add(milliseconds);
  }

  result(): LoadResult {
    const seconds = (performance.now() - this.#started) / 1_000;
    const after = usage(this.#processes);
    const { count } = this.#histogram;
    const contender = difference(this.#before.contender, after.contender);
    const bench = difference(this.#before.bench, after.bench);
    const machine = difference(this.#before.machine, after.machine);
    const available = seconds * availableParallelism();
    return {
      requestsPerSecond: count / seconds,
      p50: this.#histogram.quantile(0.5),
      p99: this.#histogram.quantile(0.99),
      requests: count,
      failures: this.failures,
      cpuMicros: contender === null ? null : (contender * 1e6) / count,
      foreign: bench === null || machine === null ? null : Math.max(0, (machine - bench) / available),
    };
  }
}

/** CPU seconds so far of the contender, of everything that belongs to the bench, of the machine. */
function usage({ pids, helperPids }: Processes) {
  const bench = cpuSeconds([...pids, ...helperPids, process.pid, process.ppid]);
  return { contender: cpuSeconds(pids), bench, machine: machineSeconds() };
}

const difference = (before: number | null, after: number | null): number | null =>
  before === null || after === null ? null : after - before;
