import { LRUCache } from 'lru-cache';
import type { Server, Socket } from 'socket.io';
import type { EventEnvelope } from '../../shared/fanout/bus.ts';
import { socketRoom } from '../../shared/fanout/fanout.ts';
import { recoveryMs } from './recovery.adapter.ts';
import { renameRoom, roomNames } from './rooms.ts';

const maxRenames = 1_000;

/** Keeps connections in the rooms they are in when those get another name. */
export class Renames {
  readonly #io: Server;
  /** New names by old ones, as long as somebody may come back who was away meanwhile. */
  readonly #newNames = new LRUCache<string, string>({ max: maxRenames, ttl: recoveryMs });

  constructor(io: Server) {
    this.#io = io;
  }

  heard({ body }: EventEnvelope): void {
    const { name, previousName } = body.details as { name?: string; previousName?: string };
    if (body.domain !== 'rooms' || body.event !== 'updated' || name === undefined || previousName === undefined) return;
    this.#newNames.set(previousName, name);
    const { sockets, adapter } = this.#io.of('/');
    const ids = adapter.rooms.get(socketRoom({ kind: 'room', name: previousName })) ?? [];
    for (const id of [...ids]) {
      const socket = sockets.get(id);
      if (socket) renameRoom(socket, previousName, name);
    }
  }

  /** A connection came back with the rooms that it had. */
  returned(socket: Socket): void {
    for (const room of roomNames(socket.rooms)) {
      const name = this.#newNames.get(room);
      if (name !== undefined) renameRoom(socket, room, name);
    }
  }
}
