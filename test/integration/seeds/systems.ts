import { startOneProcess } from '../../system/one-process.ts';
import type { System } from '../../system/system.ts';

/** What the suites of the seeds run against. */
export const systems: readonly [name: string, start: (env?: Record<string, string>) => Promise<System>][] = [
  ['one process', startOneProcess],
];
