export { createAdapter } from './adapter.ts';
export { type Broadcast, createEmitter, type Emitter, type EmitterOptions } from './emitter.ts';
export type { AdapterOptions, Connecting, RecoveryOptions } from './options.ts';
