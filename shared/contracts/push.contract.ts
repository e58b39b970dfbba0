import { z } from 'zod';
import { line, timestamp } from './fields.ts';
import { action, service } from './kernel.ts';
import { roomName } from './rooms.contract.ts';

/** Names of events that Socket.IO makes itself, on a server or in a client. */
export const reservedEvents = [
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'error',
  'newListener',
  'removeListener',
] as const;

const reserved = reservedEvents.join('|');

export const eventName = line(256).regex(
  // In one pattern, so that JSON Schema says it too.
  new RegExp(`^(?!(?:${reserved})$)`),
  'this name is reserved by Socket.IO',
);

/** Ids given as numbers are read as strings. */
export const userId = z.union([z.string().min(1).max(256), z.int()]);

const success = z.literal(true);
const reached = z.object({ success, recipients: z.int().min(0), timestamp });
const bytes = z.int().min(0);
const maxRooms = 100;

/** What the HTTP gateway answers itself: events for the sockets of clients, wherever in the cluster they are. */
export const pushContract = service({
  service: 'push',
  modules: {
    push: {
      summary: 'Events pushed to the Socket.IO connections of clients, and how many there are',
      actions: {
        user: action({
          summary: 'Push an event to a user; `delivered` is true where a socket of that user was there',
          access: 'admin',
          by: 'key',
          http: { method: 'POST', path: '/api/push' },
          payload: z.strictObject({ userId, event: eventName, data: z.unknown() }),
          freeForm: true,
          result: z.object({ success, delivered: z.boolean(), timestamp }),
        }),
        broadcast: action({
          summary: 'Push an event to everyone; `recipients` counts the sockets of the whole cluster',
          access: 'admin',
          by: 'key',
          http: { method: 'POST', path: '/api/broadcast' },
          payload: z.strictObject({ event: eventName, data: z.unknown() }),
          freeForm: true,
          result: reached,
        }),
        room: action({
          summary: 'Push an event to those who joined a room, by the name they joined',
          access: 'admin',
          by: 'key',
          http: { method: 'POST', path: '/api/room' },
          payload: z.strictObject({ room: roomName, event: eventName, data: z.unknown() }),
          freeForm: true,
          result: reached,
        }),
        status: action({
          summary: 'Connections and joined rooms of the whole cluster; uptime (seconds) and memory of this gateway',
          access: 'user',
          by: 'key',
          http: { method: 'GET', path: '/api/status' },
          result: z.object({
            success,
            status: z.literal('ok'),
            connections: z.int().min(0),
            rooms: z.int().min(0),
            uptime: z.int().min(0),
            memory: z.object({ rss: bytes, heapTotal: bytes, heapUsed: bytes, external: bytes }),
            timestamp,
          }),
          idempotent: true,
        }),
        event: action({
          summary:
            'Push `payload` on an event of that name: to `rooms` (names of rooms or roles) and to the user `payload.own`, without either to everyone',
          access: 'admin',
          http: { method: 'POST', path: '/{event}' },
          entity: 'required',
          payload: z.strictObject({
            payload: z.unknown(),
            rooms: z.array(roomName).max(maxRooms).optional(),
            sender: z.unknown().optional(),
          }),
          freeForm: true,
          result: reached,
        }),
      },
    },
  },
});
