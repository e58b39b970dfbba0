import type { Socket } from 'socket.io';
import { release } from '../../shared/runtime/release.ts';
import { emitHere } from './emit.ts';

const now = () => new Date().toISOString();

/** What a connection is told first; what a client missed comes before it (Socket.IO: connection state recovery). */
export function greet(socket: Socket, userId: string, environment: string): void {
  if (socket.recovered) {
    emitHere(socket, 'system:state_recovered', { userId, timestamp: now() });
  } else if (typeof socket.handshake.auth.pid === 'string') {
    emitHere(socket, 'system:state_recovery_failed', {
      message: 'Failed to recover connection state',
      timestamp: now(),
    });
  }
  emitHere(socket, 'system:welcome', {
    message: 'Welcome to the Socket.IO server',
    socketId: socket.id,
    timestamp: now(),
    serverInfo: { version: release.version, environment },
  });
}

/** What the clients of a gateway that ends are told. */
export const reconnectStatus = () => ({ attempt: 1, delay: 1_000, timestamp: now() });
