import { startDistributed } from '../../system/distributed.ts';
import { startOneProcess } from '../../system/one-process.ts';
import type { System } from '../../system/system.ts';

const gateways = { http: 2, socketio: 3, mqtt: 0 };

/** What the suites of the seeds run against. */
export const systems: readonly [name: string, start: (env?: Record<string, string>) => Promise<System>][] = [
  ['one process', startOneProcess],
  ['two HTTP and three Socket.IO gateways', (env) => startDistributed(env, gateways)],
];
