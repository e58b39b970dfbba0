import type { Server } from 'socket.io';
import type { EventEnvelope } from '../../shared/fanout/bus.ts';
import { socketRoom } from '../../shared/fanout/fanout.ts';

/** Socket.IO rooms that stand for audiences; clients cannot join them. */
export const userRoom = (id: string): string => socketRoom({ kind: 'user', id });
export const roleRoom = (role: string): string => socketRoom({ kind: 'role', role });

const admins = roleRoom('admin');

/** Hands a service event to the sockets that may hear it, under its three names. */
export function broadcastEvent(io: Server, { hearers, body }: EventEnvelope): void {
  if (hearers.kind === 'services') return;
  const names = [`${body.domain}:${body.event}`, `${body.domain}:*`, body.event];
  for (const name of names) {
    if (hearers.kind === 'users') io.local.emit(name, body);
    else if (hearers.kind === 'admins') io.local.to(admins).emit(name, body);
    else io.local.to([admins, ...hearers.users.map(userRoom)]).emit(name, body);
  }
}
