import type { Server, Socket } from 'socket.io';
import type { Bus, EventEnvelope } from '../../shared/fanout/bus.ts';
import { type Audience, socketRoom } from '../../shared/fanout/fanout.ts';
import { type PresenceSeen, type PresentUser, presenceTopics as topics } from '../../shared/fanout/presence.notices.ts';
import type { Config } from '../../shared/runtime/config.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { presenceReporter } from '../core/presence.reporter.ts';
import { emitOnce, type Told } from './once.ts';

export interface SocketPresence {
  /** A socket that was let in. */
  joined(socket: Socket, principal: Principal): void;
  /** Tells the sockets here of a user who came or went, as PRESENCE_BROADCAST says. */
  heard(envelope: EventEnvelope): void;
  stop(): Promise<void>;
}

export interface SocketPresenceDeps {
  io: Server;
  /** Unique name of this process. */
  name: string;
  config: Pick<Config, 'presenceBroadcast'>;
  bus: Bus;
}

type Room = Extract<Audience, { kind: 'room' }>;
const roomOf = (name: string): string => socketRoom({ kind: 'room', name } satisfies Room) as string;
const prefix = roomOf('');

/** The sockets of this gateway, told to presence, and what presence tells, told to them. */
export async function socketPresence(deps: SocketPresenceDeps): Promise<SocketPresence> {
  const { io, name, bus, config } = deps;
  const reporter = await presenceReporter(name, bus);

  const tell = (told: Told, event: 'user_online' | 'user_offline', user: PresentUser, rooms?: readonly string[]) => {
    const { id, username, email } = user;
    // No room is nobody: `to([])` would be everybody.
    if (rooms?.length === 0) return;
    emitOnce(io, told, (rooms ?? []).map(roomOf), event, { user: { id, username, email }, timestamp: told.at });
  };
  const byRooms = config.presenceBroadcast === 'rooms';
  const seeing = byRooms
    ? await bus.listen(topics.seen, (data) => {
        const { user, rooms, at } = data as PresenceSeen;
        tell({ id: JSON.stringify([user.id, at, rooms]), at }, 'user_online', user, rooms);
      })
    : undefined;
  if (byRooms) {
    const inRoom = (room: string) => room.startsWith(prefix);
    io.sockets.adapter.on('join-room', (room: string, id: string) => {
      if (inRoom(room)) reporter.entered(id, room.slice(prefix.length));
    });
    io.sockets.adapter.on('leave-room', (room: string, id: string) => {
      if (inRoom(room)) reporter.exited(id, room.slice(prefix.length));
    });
  }

  return {
    joined(socket, principal) {
      const { id, username, email } = principal;
      const user = { id, username, email };
      reporter.joined({ id: socket.id, protocol: 'socketio', user, since: new Date().toISOString() });
      // Those of a connection that was recovered.
      for (const room of socket.rooms)
        if (byRooms && room.startsWith(prefix)) reporter.entered(socket.id, room.slice(prefix.length));
      // Before it leaves its rooms: who hears of its end are those who shared them.
      socket.once('disconnecting', () => {
        reporter.left(socket.id);
      });
    },
    heard({ id, body, rooms }) {
      if (body.domain !== 'presence' || config.presenceBroadcast === 'off') return;
      const event = body.event === 'online' ? 'user_online' : 'user_offline';
      tell({ id, at: body.at }, event, body.details as unknown as PresentUser, byRooms ? (rooms ?? []) : undefined);
    },
    async stop() {
      await seeing?.stop();
      await reporter.stop();
    },
  };
}
