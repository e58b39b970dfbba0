import type { Server } from 'socket.io';
import type { EventEnvelope, EventHearers } from '../../shared/fanout/bus.ts';
import { socketRoom } from '../../shared/fanout/fanout.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { emitOnce } from './once.ts';

/** Socket.IO rooms that stand for audiences; clients cannot join them. */
export const userRoom = (id: string): string => socketRoom({ kind: 'user', id });
export const roleRoom = (role: string): string => socketRoom({ kind: 'role', role });

/** Those of roles among the Socket.IO rooms of a socket that its user does not have. */
export function lostRoles(rooms: Iterable<string>, { roles }: Pick<Principal, 'roles'>): string[] {
  const own = roles.map(roleRoom);
  return [...rooms].filter((room) => room.startsWith(roleRoom('')) && !own.includes(room));
}

const admins = roleRoom('admin');

/** None is everybody. */
function roomsOf(hearers: Exclude<EventHearers, { kind: 'services' }>): string[] {
  if (hearers.kind === 'users') return [];
  return hearers.kind === 'admins' ? [admins] : [admins, ...hearers.users.map(userRoom)];
}

/** Hands a service event to the sockets that may hear it, under its three names. */
export function broadcastEvent(io: Server, { id, hearers, body }: EventEnvelope): void {
  if (hearers.kind === 'services') return;
  const names = [`${body.domain}:${body.event}`, `${body.domain}:*`, body.event];
  const rooms = roomsOf(hearers);
  for (const name of names) emitOnce(io, { id, at: body.at }, rooms, name, body);
}
