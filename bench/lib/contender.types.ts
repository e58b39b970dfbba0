import type { Protocol } from './load.types.ts';

export type Mode = 'one process' | 'distributed';
export type StoreKind = 'memory' | 'mongodb';
export type ContenderName = 'trigate' | 'moleculer-web' | 'nestjs' | 'nestjs-without-auth';

/** What a contender is started with. */
export interface StartOptions {
  mode: Mode;
  store: StoreKind;
  /** Of the server where the store is MongoDB. */
  mongodbUrl: string | undefined;
  jwtSecret: string;
}

/** A contender that answers. */
export interface Contender {
  /** Where clients of each protocol it speaks connect. */
  urls: Partial<Record<Protocol, string>>;
  /** Its own processes, without NATS, the MQTT broker and the database. */
  pids: readonly number[];
  helperPids: readonly number[];
  stop(): Promise<void>;
}
