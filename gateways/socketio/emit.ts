import type { Socket } from 'socket.io';
import { JsonText } from '../../shared/runtime/json-text.ts';

/**
 * Emits to one socket of this gateway at once. `socket.emit` would go through the log of all gateways, which is for
 * what a client may have missed: an answer does not wait for NATS, and is not sent again.
 */
export function emitHere(socket: Socket, event: string, body: unknown): void {
  socket.nsp.local.to(socket.id).emit(event, body);
}

/**
 * As emitHere; a JsonText goes out as it is: what the parser would make of it is an event packet (type 2) of the only
 * namespace, a JSON array without attachments (Socket.IO protocol 5, "Packet encoding").
 */
export function emitResult(socket: Socket, event: string, result: unknown): void {
  if (!(result instanceof JsonText)) {
    emitHere(socket, event, result);
    return;
  }
  const { conn } = socket;
  if (conn.readyState === 'open') conn.write(`2[${JSON.stringify(event)},${result.toString()}]`, { compress: true });
}
