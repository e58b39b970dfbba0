import { availableParallelism, loadavg } from 'node:os';

/**
 * A bound of time as a machine meets it that does nothing else: longer by as much as more wants to run than there are
 * cores, over the last minute. Tests run beside each other.
 */
export const calmly = (bound: number): number => bound * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
