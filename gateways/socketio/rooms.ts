import type { Socket } from 'socket.io';
import { type Call, Failure } from '../../shared/contracts/index.ts';
import { type Fanout, socketRoom } from '../../shared/fanout/fanout.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { Changes } from '../core/changes.ts';
import { addRoom, aliased, dropRoom, renamed } from './aliases.ts';
import type { LimitHit } from './bounds.ts';

export const maxRooms = 1_000;

export interface User {
  id: string;
  username: string;
  email: string | null;
}
export const userOf = ({ id, username, email }: Principal): User => ({ id, username, email });

/** Somebody joined or left a room. */
export interface Passage {
  user: User;
  room: string;
  timestamp: string;
}
export const passage = (user: User, room: string): Passage => ({ user, room, timestamp: new Date().toISOString() });

const keyOf = (name: string): string => socketRoom({ kind: 'room', name }) as string;
const prefix = keyOf('');
/** The rooms among the Socket.IO rooms of a socket. */
export const roomNames = (rooms: Iterable<string>): string[] =>
  [...rooms].filter((room) => room.startsWith(prefix)).map((room) => room.slice(prefix.length));

export interface RoomsDeps {
  fanout: Pick<Fanout, 'emit'>;
  callAs(principal: Principal): Call;
  limitHit: LimitHit;
  /** Rooms of which an event was heard, by their names. */
  roomChanges: Changes;
}

/** Times that is asked whether a room may be heard which changes while the answer is on its way. */
const maxQuestions = 4;

/** A room that a connection is in has another name now. It is neither left nor joined, and known by its old names too. */
export function renameRoom(socket: Socket, from: string, to: string): void {
  if (!socket.rooms.has(keyOf(from))) return;
  renamed(socket, from, to);
  // It is in both for a moment rather than in none; meanwhile it may join another room of the old name.
  Promise.resolve(socket.join(keyOf(to))).then(
    () => aliased(socket, from) !== undefined && socket.leave(keyOf(from)),
    () => {},
  );
}

/** The rooms one connection hears. They are no memberships: those are made by commands, and stay. */
export class SessionRooms {
  readonly #socket: Socket;
  readonly #deps: RoomsDeps;
  #ended = false;

  constructor(socket: Socket, deps: RoomsDeps) {
    this.#socket = socket;
    this.#deps = deps;
  }

  /**
   * `room` is a name or the id of a room; the passage has its name. Who is in it already is not announced again.
   * @throws Failure LIMIT_EXCEEDED, FORBIDDEN; UNAVAILABLE where the room changes all the time
   */
  async join(room: string, principal: Principal): Promise<Passage> {
    const { callAs, roomChanges } = this.#deps;
    for (let questions = 0; questions < maxQuestions; questions += 1) {
      const mark = roomChanges.mark();
      const { room: name, id } = await callAs(principal)('rooms.enter', { entity: room });
      // It begins to hear in the turn in which this is known: whatever changes after it finds it in the room.
      if (!roomChanges.since(mark, name)) return this.#hear({ name, id }, passage(userOf(principal), name));
    }
    throw new Failure('UNAVAILABLE', 'The room is being changed', { retryAfter: 1 });
  }

  async #hear({ name, id }: { name: string; id: string | null }, joined: Passage): Promise<Passage> {
    const socket = this.#socket;
    if (this.#isIn(name)) {
      addRoom(socket, name, id);
      return joined;
    }
    if (roomNames(socket.rooms).length >= maxRooms) {
      this.#deps.limitHit('rooms_per_socket');
      throw new Failure('LIMIT_EXCEEDED', `A connection joins at most ${maxRooms} rooms`);
    }
    // Whoever has gone meanwhile joins nothing, and is not announced.
    if (!socket.connected) return joined;
    dropRoom(socket, name);
    addRoom(socket, name, id);
    await socket.join(keyOf(name));
    // Whoever has gone in the meantime was said to have left.
    if (this.#ended) return joined;
    this.#deps.fanout.emit([{ kind: 'room', name }], 'user_joined', [joined]);
    return joined;
  }

  /**
   * `room` is a name of a room that it is in, its id or a name that it had. Told to the room; who leaves gets the answer.
   * `heard` is false where it was not in the room.
   */
  async leave(room: string, principal: Principal): Promise<{ left: Passage; heard: boolean }> {
    const socket = this.#socket;
    const name = aliased(socket, room) ?? room;
    const left = passage(userOf(principal), name);
    if (!socket.rooms.has(keyOf(name))) return { left, heard: false };
    for (const each of [...dropRoom(socket, name), name]) await socket.leave(keyOf(each));
    this.#deps.fanout.emit([{ kind: 'room', name }], 'user_left', [left]);
    return { left, heard: true };
  }

  /** The rooms were told that it has left them: none is told after that that it joined. */
  end(): void {
    this.#ended = true;
  }

  /** Not where it still hears a room by the name that this had: see renameRoom. */
  #isIn(name: string): boolean {
    return this.#socket.rooms.has(keyOf(name)) && aliased(this.#socket, name) === undefined;
  }
}
