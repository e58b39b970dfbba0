import { io, type Socket } from 'socket.io-client';
import { loadSlots } from './load.slots.ts';
import type { LoadOptions, LoadResult } from './load.types.ts';

const listPayload = { page: 1, itemsPerPage: 10 };

/** The event `request`, answered on the event that its requestId names, as NestMTX's clients ask. */
export async function loadSocketio(options: LoadOptions): Promise<LoadResult> {
  const { url, token, connections, operation } = options;
  const sockets = await Promise.all(Array.from({ length: connections }, () => connect(url, token)));
  const result = await loadSlots(options, (slot, entity) => {
    const socket = sockets[slot % sockets.length] as Socket;
    const requestId = `slot-${slot}`;
    const asked = operation === 'read' ? { entity } : { payload: listPayload };
    return new Promise((resolve) => {
      socket.once(requestId, (answer: { error?: unknown }) => resolve(answer.error === undefined));
      socket.emit('request', { command: operation, module: 'cameras', requestId, ...asked });
    });
  });
  for (const socket of sockets) socket.disconnect();
  return result;
}

function connect(url: string, token: string): Promise<Socket> {
  const socket = io(url, { auth: { token }, transports: ['websocket'], reconnection: false, forceNew: true });
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', reject);
  });
}
