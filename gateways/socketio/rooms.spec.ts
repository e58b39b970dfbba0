import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Server, Socket } from 'socket.io';
import { type Call, Failure } from '../../shared/contracts/index.ts';
import type { EventEnvelope } from '../../shared/fanout/bus.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { Changes } from '../core/changes.ts';
import type { Authenticator } from '../core/dispatch.types.ts';
import { Renames } from './renames.ts';
import { guardSession, noteRoom } from './room.guard.ts';
import { renameRoom, SessionRooms } from './rooms.ts';
import { Session } from './session.ts';

const ann: Principal = { kind: 'user', id: 'ann', username: 'ann', email: null, roles: ['user'] };
/** Names of the rooms that somebody made, by their ids. */
let made: Record<string, string>;
let told: string[];
let socket: Socket;
let rooms: SessionRooms;
let changes: Changes;
/** What a connection asks the services; what they answer when they are slow. */
let enter: (action: string, ask: { entity: string }) => Promise<{ room: string; id: string | null }>;

beforeEach(() => {
  [made, told, changes] = [{}, [], new Changes()];
  const own = new Set<string>();
  const hears = {
    join: (room: string) => void own.add(room),
    leave: (room: string) => void own.delete(room),
    emit: () => {},
  };
  socket = { id: 's', data: {}, connected: true, rooms: own, nsp: {}, ...hears } as unknown as Socket;
  enter = async (_action, { entity }) => {
    const [id, name] = Object.entries(made).find((one) => one.includes(entity)) ?? [null, entity];
    return { room: name, id };
  };
  rooms = new SessionRooms(socket, {
    fanout: { emit: ([audience], event) => void told.push(`${event} ${audience?.kind === 'room' && audience.name}`) },
    callAs: () => ((...ask: Parameters<typeof enter>) => enter(...ask)) as unknown as Call,
    limitHit: () => {},
    roomChanges: changes,
  });
});

const at = new Date().toISOString();
/** A service event. */
const updated = (details: object): EventEnvelope => ({
  id: randomUUID(),
  hearers: { kind: 'users' },
  body: { domain: 'rooms', event: 'updated', entity: 'r', details: { ...details }, at },
});
const inRooms = () => [...socket.rooms].map((room) => room.replace('room:', ''));
const leave = async (room: string) => {
  const { left, heard } = await rooms.leave(room, ann);
  return heard ? left.room : undefined;
};
/** The connection hears the new name when it may. */
function renameSlowly(from: string, to: string): () => Promise<void> {
  const { join } = socket;
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.join = (room) => {
    join(room);
    return promise;
  };
  void rename(from, to);
  socket.join = join;
  return async () => resolve();
}
async function rename(from: string, to: string): Promise<void> {
  for (const [id, name] of Object.entries(made)) if (name === from) made[id] = to;
  renameRoom(socket, from, to);
  // In both for a moment.
  await Promise.resolve();
}

describe('while a room is joined', () => {
  const forbidden = new Failure('FORBIDDEN');

  test('and it is made private, it is asked again whether it may be heard', async () => {
    const answers = [Promise.withResolvers<Awaited<ReturnType<typeof enter>>>()];
    enter = async () => answers.shift()?.promise ?? Promise.reject(forbidden);
    const [{ resolve }] = answers as [(typeof answers)[0]];
    const joining = rooms.join('i', ann);
    noteRoom(updated({ name: 'a', private: true }), changes);
    resolve({ room: 'a', id: 'i' });
    await expect(joining).rejects.toBe(forbidden);
    expect([inRooms(), told]).toEqual([[], []]);
  });

  test('and it gets another name, the new one is joined', async () => {
    made = { i: 'a' };
    const joining = rooms.join('i', ann);
    noteRoom(updated({ name: 'b', previousName: 'a' }), changes);
    made = { i: 'b' };
    expect(await joining).toMatchObject({ room: 'b' });
    expect(inRooms()).toEqual(['b']);
  });

  test('and changes again and again, it is not joined', async () => {
    let asked = 0;
    enter = async (_action, { entity }) => {
      asked += 1;
      noteRoom(updated({ name: entity, private: false }), changes);
      return { room: entity, id: 'i' };
    };
    await expect(rooms.join('a', ann)).rejects.toMatchObject({ type: 'UNAVAILABLE' });
    expect([inRooms(), asked < 10]).toEqual([[], true]);
  });

  test('and its user loses the role that it was let in for, it is left', async () => {
    const admin: Principal = { ...ann, roles: ['admin', 'user'] };
    const callAs = ({ roles }: Principal) =>
      (async () => {
        if (!roles.includes('admin')) throw forbidden;
        return { room: 'a', id: 'i' };
      }) as unknown as Call;
    const session = new Session(socket, { principal: admin, token: undefined }, {} as Authenticator, 0);
    const deps = { fanout: { emit: () => {} }, callAs, limitHit: () => {}, roomChanges: changes };
    const joining = session.inTurn(() => new SessionRooms(socket, deps).join('a', admin));
    session.principal = ann;
    const sessions = new Map([[socket.id, session]]);
    await guardSession(session, { ...deps, io: {} as Server, sessions, log: silentLog });
    expect(await joining).toMatchObject({ room: 'a' });
    expect(inRooms()).toEqual([]);
  });

  test('and the connection ends, the room is told that it joined only where it is told later that it left', async () => {
    for (const ended of [false, true]) {
      const [begun, effective] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      socket.join = () => {
        begun.resolve();
        return effective.promise;
      };
      socket.connected = true;
      const joining = rooms.join(`a-${ended}`, ann);
      await begun.promise;
      socket.connected = false;
      if (ended) rooms.end();
      effective.resolve();
      await joining;
    }
    expect(told).toEqual(['user_joined a-false']);
  });
});

describe('while a room gets another name', () => {
  beforeEach(async () => {
    made = { i: 'a' };
    await rooms.join('a', ann);
  });

  test.each(['a', 'b', 'i'])('it is left by %s', async (room) => {
    const done = renameSlowly('a', 'b');
    expect(await leave(room)).toBe('b');
    await done();
    expect(inRooms()).toEqual([]);
  });

  test('another one of its old name is joined', async () => {
    const done = renameSlowly('a', 'b');
    await rooms.join('a', ann);
    await done();
    expect([inRooms(), told.at(-1)]).toEqual([['a', 'b'], 'user_joined a']);
    expect(await leave('a')).toBe('a');
  });

  test('it gets its old one back', async () => {
    const done = [renameSlowly('a', 'b'), renameSlowly('b', 'a')];
    for (const each of done) await each();
    expect(inRooms()).toEqual(['a']);
    expect(await leave('b')).toBe('a');
  });
});

describe('a room is left', () => {
  test('by its id where it was joined by its name, and by its name where it was joined by its id', async () => {
    made = { i: 'a', j: 'b' };
    await rooms.join('a', ann);
    await rooms.join('j', ann);
    expect([await leave('i'), await leave('b')]).toEqual(['a', 'b']);
    expect(inRooms()).toEqual([]);
    expect([await leave('i'), await leave('b')]).toEqual([undefined, undefined]);
  });

  test('by its id where somebody made it since it was joined, and it was joined again', async () => {
    await rooms.join('a', ann);
    made = { i: 'a' };
    await rooms.join('a', ann);
    expect(await leave('i')).toBe('a');
  });

  test('by a name that it had, unless another room has it that the connection is in', async () => {
    made = { i: 'a' };
    await rooms.join('a', ann);
    await rename('a', 'b');
    await rooms.join('a', ann);
    expect(await leave('a')).toBe('a');
    expect(inRooms()).toEqual(['b']);
    expect(await leave('a')).toBeUndefined();
    expect(await leave('i')).toBe('b');
  });

  test('by a name that it had, unless another room got it', async () => {
    made = { i: 'a', j: 'x' };
    for (const room of ['a', 'x']) await rooms.join(room, ann);
    await rename('a', 'b');
    await rename('x', 'a');
    expect(await leave('a')).toBe('a');
    expect(await leave('a')).toBeUndefined();
    expect(inRooms()).toEqual(['b']);
  });

  test('not by the id of a room that the connection was put out of, and whose name is free again', async () => {
    made = { i: 'a' };
    await rooms.join('a', ann);
    await socket.leave('room:a');
    await rename('a', 'b');
    await rooms.join('a', ann);
    expect(await leave('i')).toBeUndefined();
    expect(inRooms()).toEqual(['a']);
  });

  test('by names of a bounded number, the newest', async () => {
    await rooms.join('a-0', ann);
    for (let n = 0; n < 2_100; n += 1) await rename(`a-${n}`, `a-${n + 1}`);
    expect(Object.keys(socket.data.aliases).length).toBeLessThanOrEqual(2_000);
    expect(await leave('a-2000')).toBe('a-2100');
    expect(socket.data.aliases).toEqual({});
  });
});

describe('who comes back after rooms got other names', () => {
  let renames: Renames;

  beforeEach(() => {
    const adapter = { rooms: { get: () => undefined } };
    renames = new Renames({ of: () => ({ sockets: new Map(), adapter }) } as unknown as Server);
  });
  /** Each is `from to`. */
  async function back(room: string, ...names: string[]): Promise<string[]> {
    for (const [previousName, name] of names.map((pair) => pair.split(' '))) {
      renames.heard(updated({ name, previousName }));
    }
    await socket.join(`room:${room}`);
    renames.returned(socket);
    await Promise.resolve();
    return inRooms();
  }

  test('is in the room by its new name', async () => {
    expect(await back('a', 'a b')).toEqual(['b']);
    expect(await leave('a')).toBe('b');
  });

  test('is in it by the last of several', async () => {
    expect(await back('a', 'a b', 'b c', 'x y')).toEqual(['c']);
  });

  test('is in it by the name that it had, where it got that back', async () => {
    expect(await back('a', 'a b', 'b a')).toEqual(['a']);
  });

  test('is in it by its first name, where it had another one for a while', async () => {
    expect(await back('b', 'a b', 'b a')).toEqual(['a']);
  });
});
