import type { Socket } from 'socket.io';
import { JsonText } from '../../shared/runtime/json-text.ts';

/**
 * Emits to one socket. A JsonText goes out as it is: what the parser would make of it is an event packet (type 2) of
 * the only namespace, a JSON array without attachments (Socket.IO protocol 5, "Packet encoding").
 */
export function emitResult(socket: Socket, event: string, result: unknown): void {
  if (!(result instanceof JsonText)) {
    socket.emit(event, result);
    return;
  }
  const { conn } = socket;
  if (conn.readyState === 'open') conn.write(`2[${JSON.stringify(event)},${result.toString()}]`, { compress: true });
}
