import { LRUCache } from 'lru-cache';
import type { Server, Socket } from 'socket.io';
import type { EventEnvelope } from '../../shared/fanout/bus.ts';
import { socketRoom } from '../../shared/fanout/fanout.ts';
import { recoveryMs } from './recovery.adapter.ts';
import { renameRoom, roomNames } from './rooms.ts';

const maxRenames = 1_000;
/** A room is renamed no more often than this while somebody is away. */
const maxHops = 8;

/** What a room is called now. @param newNames by the names before them; who has its own is called so */
export function newestName(newNames: Pick<LRUCache<string, string>, 'get'>, room: string): string {
  let name = room;
  for (let hops = 0; hops < maxHops; hops += 1) {
    const next = newNames.get(name);
    if (next === undefined || next === name) return name;
    name = next;
  }
  return name;
}

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
    // A room that gets back a name that it had is not one that is called otherwise.
    this.#newNames.delete(name);
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
      const name = newestName(this.#newNames, room);
      if (name !== room) renameRoom(socket, room, name);
    }
  }
}
