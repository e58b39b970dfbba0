export { createAdapter, NatsAdapter, serverBack, serverLost } from './adapter.ts';
export { type Broadcast, createEmitter, type Emitter, type EmitterOptions } from './emitter.ts';
export { onceFor } from './log.ts';
export type { AdapterOptions, Connecting, RecoveryOptions } from './options.ts';
export { roomsOf, type Session } from './session.rules.ts';
