import type { Server, Socket } from 'socket.io';
import type { Fanout } from '../../shared/fanout/fanout.ts';
import type { Changes } from '../core/changes.ts';
import type { LimitHit } from './bounds.ts';
import { type Departures, recoverable } from './departures.ts';
import type { SocketioDeps } from './deps.ts';
import type { Dialect } from './dialects/dialect.ts';
import { lostRoles, roleRoom, userRoom } from './events.ts';
import type { socketMetrics } from './metrics.ts';
import type { OfUser } from './orphans.ts';
import type { SocketPresence } from './presence.ts';
import { RecoveryAdapter } from './recovery.adapter.ts';
import type { Renames } from './renames.ts';
import { roomNames, SessionRooms, userOf } from './rooms.ts';
import { Session } from './session.ts';
import { greet } from './system.events.ts';

/** Gateways tell each other who has come back, so that nobody is said to have left. */
export const returnedEvent = 'trigate:returned';

interface ConnectionDeps extends SocketioDeps {
  limitHit: LimitHit;
  io: Server;
  fanout: Fanout;
  departures: Departures;
  /** Told of connections that were recovered, here or on another gateway. */
  returned(socketId: string): void;
  renames: Renames;
  roomChanges: Changes;
  presence: SocketPresence;
  counts: ReturnType<typeof socketMetrics>;
  dialects: readonly Dialect[];
  /** Of the sockets of this gateway, by their ids. */
  sessions: Map<string, Session>;
}

/** What happens when a client is let in, until it goes. */
export const connection = (deps: ConnectionDeps) => (socket: Socket) => {
  const { config, presence, counts, departures } = deps;
  const session = new Session(
    socket,
    socket.data.identity,
    deps.authenticator,
    config.rateLimitMessages,
    deps.limitHit,
  );
  delete socket.data.identity;
  // Revoked while it was let in: it hears nothing, also of what it missed.
  if (deps.authenticator.wasRevoked(session.principal)) {
    session.close();
    socket.disconnect(true);
    return;
  }
  deps.sessions.set(socket.id, session);
  const user = userOf(session.principal);
  Object.assign(socket.data, { owner: user.id, user } satisfies OfUser & { owner: string });
  takeAudiences(session);
  const { adapter } = socket.nsp;
  // Before anything else is sent, so that what was missed comes first.
  if (adapter instanceof RecoveryAdapter) adapter.connected(socket);
  if (socket.recovered) welcomeBack(deps, socket);
  counts.connected(socket.conn.transport.name);
  presence.joined(socket, session.principal);
  const rooms = new SessionRooms(socket, deps);
  socket.on('disconnecting', (reason) => {
    if (departures.left(socket.id, user, roomNames(socket.rooms), recoverable.has(reason))) rooms.end();
  });
  socket.on('disconnect', () => {
    session.close();
    deps.sessions.delete(socket.id);
    counts.disconnected();
  });
  greet(socket, user.id, config.authStrategy === 'none' ? 'development' : 'production');
  const { dispatcher, fanout, bus, log } = deps;
  const packet = (direction: 'in' | 'out') => deps.metrics.packet('socketio', direction);
  for (const dialect of deps.dialects) dialect({ session, rooms, dispatcher, fanout, bus, log, packet });
};

/** The rooms of the user and of its roles as they are now. @returns whether it was in those of other roles */
export function takeAudiences({ socket, principal }: Session): boolean {
  const lost = lostRoles(socket.rooms, principal);
  for (const room of lost) socket.leave(room);
  socket.join([userRoom(principal.id), ...principal.roles.map(roleRoom)]);
  return lost.length > 0;
}

function welcomeBack({ io, returned, renames }: ConnectionDeps, socket: Socket): void {
  returned(socket.id);
  renames.returned(socket);
  Promise.resolve(socket.nsp.adapter.serverCount()).then(
    (count) => count > 1 && io.serverSideEmit(returnedEvent, socket.id),
    () => {},
  );
}
