import type { TrigateError } from './error.ts';

/**
 * - `connecting`: the first attempt
 * - `connected`: in a new session; where there was one before, its rooms have to be joined again
 * - `reconnecting`: the connection was lost or could not be made, another attempt follows
 * - `recovered`: back in the same session: rooms kept, missed messages delivered
 * - `closed`: for good
 */
export type ConnectionState = 'connecting' | 'connected' | 'reconnecting' | 'recovered' | 'closed';

export interface ConnectionStatus {
  readonly state: ConnectionState;
  /** Attempts in a row without a connection, this one included; 0 while there is one. */
  readonly attempt: number;
  /** Why there is no connection. */
  readonly error?: TrigateError;
  /** Milliseconds until the next attempt; with `reconnecting`. */
  readonly delayMs?: number;
}

export const isConnected = ({ state }: ConnectionStatus): boolean => state === 'connected' || state === 'recovered';

export type StatusHandler = (status: ConnectionStatus) => void;
