export { createAdapter } from './adapter.ts';
export type { AdapterOptions, Connecting, RecoveryOptions } from './options.ts';
