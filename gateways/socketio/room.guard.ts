import type { Server, Socket } from 'socket.io';
import { isRole } from '../../shared/contracts/fields.ts';
import { type Call, Failure } from '../../shared/contracts/index.ts';
import type { EventEnvelope } from '../../shared/fanout/bus.ts';
import { type Fanout, socketRoom } from '../../shared/fanout/fanout.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { Changes } from '../core/changes.ts';
import { askAll } from './reached.ts';
import { passage, roomNames, userOf } from './rooms.ts';
import type { Session } from './session.ts';

export interface GuardDeps {
  io: Server;
  fanout: Pick<Fanout, 'emit'>;
  callAs(principal: Principal): Call;
  /** Of the sockets of this gateway, by their ids. */
  sessions: ReadonlyMap<string, Pick<Session, 'principal'>>;
  log: Pick<Log, 'warn'>;
}

/**
 * A room that is made or changed may be private from now on, or have the name of a role: whoever may hear it no longer
 * leaves it.
 */
export async function guardRoom({ body }: EventEnvelope, deps: GuardDeps): Promise<void> {
  const { name, private: isPrivate } = body.details as { name?: string; private?: boolean };
  if (body.domain !== 'rooms' || body.event === 'deleted' || name === undefined) return;
  if (!isPrivate && !isRole(name)) return;
  const { sockets, adapter } = deps.io.of('/');
  const ids = [...(adapter.rooms.get(socketRoom({ kind: 'room', name }) as string) ?? [])];
  await askAll(ids, async (id) => {
    const socket = sockets.get(id);
    if (socket) await turnOut(socket, name, deps);
  });
}

/** A room whose event is heard: what was asked about it before is not believed. */
export function noteRoom({ body }: EventEnvelope, changes: Changes): void {
  if (body.domain !== 'rooms') return;
  const { name, previousName } = body.details as { name?: string; previousName?: string };
  for (const each of [name, previousName]) if (each !== undefined) changes.note(each);
}

/** Whoever lost a role leaves the rooms that it may no longer hear. */
export async function guardSession(session: Pick<Session, 'socket' | 'inTurn'>, deps: GuardDeps): Promise<void> {
  const { socket } = session;
  const guard = () => askAll(roomNames(socket.rooms), (name) => turnOut(socket, name, deps));
  await guard();
  // It may have been joining one, as who it was.
  await session.inTurn(guard);
}

async function turnOut(socket: Socket, name: string, deps: GuardDeps): Promise<void> {
  const principal = deps.sessions.get(socket.id)?.principal;
  if (!principal) return;
  try {
    await deps.callAs(principal)('rooms.enter', { entity: name });
    return;
  } catch (error) {
    // Where nobody can say, it is out as well: it may join again.
    const known = error instanceof Failure && error.type === 'FORBIDDEN';
    if (!known) deps.log.warn({ err: error, room: name }, 'who may hear a room is not known');
  }
  const key = socketRoom({ kind: 'room', name }) as string;
  if (!socket.rooms.has(key)) return;
  await socket.leave(key);
  const left = passage(userOf(principal), name);
  deps.fanout.emit([{ kind: 'room', name }], 'user_left', [left]);
  socket.emit('user_left', left);
}
