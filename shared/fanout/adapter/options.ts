import type { BusLog } from './bus.log.ts';
import type { Session } from './session.rules.ts';

/** Who comes back with a session: the request of its connection and what it sent along. */
export interface Connecting {
  /** An `http.IncomingMessage` in practice. */
  request: unknown;
  auth: Record<string, unknown>;
}

/** A session that somebody comes back with, and the rooms that it was in. */
export interface Restorable extends Pick<Session, 'sid' | 'data'> {
  rooms: string[];
}

export interface AdapterOptions {
  /** First token of all subjects and name of the stream; `sio`. */
  prefix?: string;
  /** Milliseconds between two signs of life of a server; 1.5 s. */
  heartbeatInterval?: number;
  /** Milliseconds without one after which a server is no longer asked; 5 s. */
  heartbeatTimeout?: number;
  /** Bytes that may wait for one client in this process before it is cut; 1 MiB. */
  maxQueuedBytes?: number;
  /** Milliseconds a client may read nothing while something waits for it; 30 s. */
  maxStall?: number;
  /** Told of each client that is cut. */
  onCut?: (reason: 'bytes' | 'time') => void;
  /** With `connectionStateRecovery` of the server only. */
  recovery?: RecoveryOptions;
  log?: BusLog;
}

export interface RecoveryOptions {
  /** Namespaces whose sessions come back; all of them. */
  namespaces?: readonly string[];
  /** `file` survives a restart of NATS, `memory` makes every session a new one then; `file`. */
  storage?: 'file' | 'memory';
  /** Copies of the log in a cluster of NATS servers; 1. */
  replicas?: number;
  /** Bytes of packets that are kept, the oldest go first; 256 MiB. Sessions that need them are new ones then. */
  maxBytes?: number;
  /** Bytes a session may have missed; more makes it a new one. 512 KiB. */
  maxMissedBytes?: number;
  /** Milliseconds a restore may take, its waiting included; 5 s. */
  timeout?: number;
  /** Restores that run at the same time, the others wait; 32. */
  concurrency?: number;
  /**
   * Whether this client may have this session, asked before anything is restored or sent. Also rejecting refuses. The
   * middlewares of the namespace run later, as Socket.IO has it, and may refuse too.
   */
  authorizeRestore?: (session: Restorable, connecting: Connecting) => boolean | Promise<boolean>;
}
