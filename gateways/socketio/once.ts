import type { Server } from 'socket.io';
import { NatsAdapter, onceFor } from '../../shared/fanout/adapter/index.ts';

/** Something every gateway hears of; `at` is an ISO 8601 time. */
export interface Told {
  /** Unique for what is told. */
  id: string;
  at: string;
}

/**
 * Emits what every gateway is told, once to each socket: where there are several, through the log of their packets, so
 * that who comes back hears it. What is older than the log knows such ids is for the sockets that are here only.
 */
export function emitOnce(io: Server, { id, at }: Told, rooms: readonly string[], event: string, body: unknown): void {
  const { adapter } = io.of('/');
  const known = Date.now() - Date.parse(at) < onceFor;
  if (known && adapter instanceof NatsAdapter) adapter.emitOnce(`${event} ${id}`, rooms, event, [body]);
  else io.local.to([...rooms]).emit(event, body);
}
