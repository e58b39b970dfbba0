import type { Socket as NodeSocket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { eventually } from '../system/clients/wait.ts';
import { metricsOf, sumOf } from '../system/metrics.ts';
import type { System } from '../system/system.ts';
import { Cast, collect, type Heard, isoDate, named, next } from './seeds/cast.ts';
import { systems } from './seeds/systems.ts';

/** A connection that comes back: where there are several gateways, each time to the next one. */
let system: System;
let cast: Cast;

const timestamp = expect.stringMatching(isoDate);

/** A socket that comes back when it is told to; its connection can be cut as a network does. */
async function roaming(token: string): Promise<{ socket: Socket; cut(): Promise<void>; back(): void }> {
  const { socketioUrls: urls } = system;
  let home = 0;
  const socket = cast.owned(
    io(urls[home] as string, {
      forceNew: true,
      reconnection: false,
      transports: ['websocket'],
      auth: (give) => give({ token: current.token }),
    }),
  );
  const current = { token };
  await next(socket, 'system:welcome');
  return {
    socket,
    async cut() {
      const gone = next(socket, 'disconnect');
      socket.io.engine.close();
      await gone;
    },
    back() {
      home = (home + 1) % urls.length;
      Object.assign(socket.io, { uri: urls[home] });
      socket.connect();
    },
  };
}
/** Cuts a connection and waits until its gateway knows: until then the client is still in its rooms there. */
async function cutAndNoticed(cut: () => Promise<void>): Promise<void> {
  const connections = async () => sumOf(await metricsOf(system.socketioUrls), 'socket_server_active_connections');
  const before = await connections();
  await cut();
  await eventually(connections, (count) => count < before, 5_000);
}
/** As where a network is gone and nobody has noticed: what is sent to the client is written, and never read. */
function stopReading(socket: Socket): { cut(): Promise<void> } {
  const { ws } = socket.io.engine.transport as unknown as { ws: { _socket: NodeSocket } };
  const { _socket: network } = ws;
  network.pause();
  return {
    async cut() {
      const gone = next(socket, 'disconnect');
      network.destroy();
      await gone;
    },
  };
}
const sender = () => cast.connect(cast.people.stranger);

describe.each(systems)('over %s, a connection that comes back', (_name, start) => {
  beforeAll(async () => {
    system = await start();
    cast = await Cast.of(system);
  }, 60_000);
  afterEach(() => cast?.closeSockets());
  afterAll(() => system?.stop());

  test('has its rooms and what it missed, once and in order, then hears that it is recovered', async () => {
    const { user } = cast.people;
    const { socket, cut, back } = await roaming(user.token);
    const other = await sender();
    const room = cast.room();
    for (const one of [socket, other]) await one.emitWithAck('join_room', { room });
    const heard: unknown[] = [];
    socket.on('new_message', ({ message }: Heard) => heard.push(message));
    socket.on('system:state_recovered', (data) => heard.push(data));
    const id = socket.id;
    await other.emitWithAck('send_message', { room, message: 1 });
    await cut();
    for (const message of [2, 3]) await other.emitWithAck('send_message', { room, message });
    await other.emitWithAck('send_message', { to: user.id, message: 'to you' });
    await other.emitWithAck('send_message', { message: 'to all' });
    const recovered = next(socket, 'system:state_recovered');
    back();
    await recovered;
    await other.emitWithAck('send_message', { room, message: 4 });
    await eventually(
      async () => heard,
      (all) => all.includes(4),
      5_000,
    );
    expect(heard).toEqual([1, 2, 3, 'to you', 'to all', { userId: user.id, timestamp }, 4]);
    expect([socket.recovered, socket.id]).toEqual([true, id]);
  });

  test('hears the service events that it missed, under each of their names, once', async () => {
    const { socket, cut, back } = await roaming(cast.people.admin.token);
    const other = await cast.connect(cast.people.admin);
    const heard: unknown[] = [];
    for (const name of ['created', 'camera:*', 'camera:created'])
      socket.on(name, ({ details }: Heard) => heard.push([name, details.name]));
    socket.on('system:state_recovered', () => heard.push('recovered'));
    const make = async (name: string) => {
      const told = next(other, 'camera:created');
      await cast.stage.ok({ module: 'cameras', command: 'create', payload: { name, source: 'rtsp://10.0.0.1/' } });
      await told;
    };
    const names = [1, 2, 3].map(() => cast.stage.unique('camera'));
    await make(names[0] as string);
    await cut();
    await make(names[1] as string);
    const recovered = next(socket, 'system:state_recovered');
    back();
    await recovered;
    await make(names[2] as string);
    const three = (name: string | undefined) => ['camera:created', 'camera:*', 'created'].map((event) => [event, name]);
    await eventually(
      async () => heard,
      ({ length }) => length >= 10,
      5_000,
    );
    expect(heard).toEqual([...three(names[0]), ...three(names[1]), 'recovered', ...three(names[2])]);
  });

  test('has missed nothing, whenever it went and came', async () => {
    const { socket, cut, back } = await roaming(cast.people.user.token);
    const other = await sender();
    const room = cast.room();
    for (const one of [socket, other]) await one.emitWithAck('join_room', { room });
    const heard: number[] = [];
    socket.on('new_message', ({ message }: { message: number }) => heard.push(message));
    let sent = 0;
    let sending = true;
    const stream = (async () => {
      while (sending) {
        sent += 1;
        await other.emitWithAck('send_message', { room, message: sent });
      }
    })();
    for (let round = 0; round < 40; round++) {
      await cut();
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
      const recovered = next(socket, 'system:state_recovered');
      back();
      await recovered;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
    }
    sending = false;
    await stream;
    await eventually(
      async () => heard.length,
      (count) => count >= sent,
      5_000,
    );
    expect(heard).toEqual(Array.from({ length: sent }, (_, n) => n + 1));
    expect(sent).toBeGreaterThan(50);
  });

  test('has neither left its rooms nor joined them again', async () => {
    const { socket, cut, back } = await roaming(cast.people.user.token);
    const other = await sender();
    const room = cast.room();
    await socket.emitWithAck('join_room', { room });
    const own = next(other, 'user_joined');
    await other.emitWithAck('join_room', { room });
    await own;
    const passages = [collect(other, 'user_left'), collect(other, 'user_joined')];
    await cut();
    const recovered = next(socket, 'system:state_recovered');
    back();
    await recovered;
    // What is told to the room would come before it.
    const last = next(other, 'new_message');
    await other.emitWithAck('send_message', { room, message: 'last' });
    await last;
    expect(passages).toEqual([[], []]);
  });

  test('has left its rooms where it stays away', async () => {
    const { socket, cut, back } = await roaming(cast.people.user.token);
    const other = await sender();
    const room = cast.room();
    for (const one of [socket, other]) await one.emitWithAck('join_room', { room });
    const passage = { user: named(cast.people.user), room, timestamp };
    const left = next(other, 'user_left');
    await cut();
    expect(await left).toEqual(passage);
    const joined = next(other, 'user_joined');
    back();
    expect(await joined).toEqual(passage);
    expect(socket.recovered).toBe(true);
  });

  test('is still registered with the server API', async () => {
    const { user } = cast.people;
    const { socket, cut, back } = await roaming(user.token);
    await socket.emitWithAck('register', { userId: user.id });
    await cut();
    const recovered = next(socket, 'system:state_recovered');
    back();
    await recovered;
    expect(await socket.emitWithAck('room:join', { room: 'a' })).toMatchObject({ success: true });
  });

  test('by another user’s token gets nothing of it', async () => {
    const { user, stranger } = cast.people;
    const { socket: own, cut } = await roaming(user.token);
    const room = cast.room();
    const other = await sender();
    for (const one of [own, other]) await one.emitWithAck('join_room', { room });
    const { pid, offset } = secrets(own);
    await cut();
    await other.emitWithAck('send_message', { room, message: 'secret' });
    const thief = cast.open(stranger.token, { auth: { token: stranger.token, pid, offset } });
    const heard = collect(thief, 'new_message');
    expect(await next(thief, 'system:state_recovery_failed')).toEqual({
      message: 'Failed to recover connection state',
      timestamp,
    });
    await other.emitWithAck('send_message', { room, message: 'secret too' });
    await other.emitWithAck('send_message', { to: stranger.id, message: 'to you' });
    await eventually(
      async () => heard,
      ({ length }) => length > 0,
      5_000,
    );
    expect([heard.map(({ message }) => message), thief.recovered]).toEqual([['to you'], false]);
  });

  test('by a token that is none is refused, and can still come back', async () => {
    const { user } = cast.people;
    const { socket, cut, back } = await roaming(user.token);
    const { pid, offset } = secrets(socket);
    await cut();
    const refused = cast.open('none', { auth: { token: 'none', pid, offset } });
    expect((await next(refused, 'connect_error')).data.code).toBe('UNAUTHORIZED');
    const recovered = next(socket, 'system:state_recovered');
    back();
    await recovered;
  });

  test('has not back a room that was made private, or got another name and was made private, while it was away', async () => {
    for (const more of [{}, { name: cast.room() }]) {
      const { socket, cut, back } = await roaming(cast.people.user.token);
      const admin = await cast.connect(cast.people.admin);
      const { id, name } = await cast.stage.room({}, 'admin');
      for (const one of [socket, admin]) await one.emitWithAck('join_room', { room: name });
      const heard = collect(socket, 'new_message');
      await cutAndNoticed(cut);
      const told = next(admin, 'rooms:updated');
      const payload = { ...more, private: true };
      await cast.stage.ok({ module: 'rooms', command: 'update', entity: id, payload });
      await told;
      await admin.emitWithAck('send_message', { room: id, message: 'among us' });
      const failed = next(socket, 'system:state_recovery_failed');
      back();
      await failed;
      const last = next(socket, 'new_message');
      await admin.emitWithAck('send_message', { room: id, message: 'among us too' });
      await admin.emitWithAck('send_message', { to: cast.people.user.id, message: 'to you' });
      await last;
      expect(heard.map(({ message }) => message)).toEqual(['to you']);
    }
  });

  test('has back a room that was made private for it', async () => {
    const { id: userId, token } = cast.people.user;
    const { socket, cut, back } = await roaming(token);
    const admin = await cast.connect(cast.people.admin);
    const { id, name } = await cast.stage.room({ members: [userId] }, 'admin');
    for (const one of [socket, admin]) await one.emitWithAck('join_room', { room: name });
    await cutAndNoticed(cut);
    const told = next(admin, 'rooms:updated');
    await cast.stage.ok({ module: 'rooms', command: 'update', entity: id, payload: { private: true } });
    await told;
    const message = next(socket, 'new_message');
    await admin.emitWithAck('send_message', { room: id, message: 'among us' });
    const recovered = next(socket, 'system:state_recovered');
    back();
    await recovered;
    expect(await message).toMatchObject({ message: 'among us' });
  });

  test('hears that it is out of a room that was made private before anybody knew that it is gone', async () => {
    const { socket, back } = await roaming(cast.people.user.token);
    const admin = await cast.connect(cast.people.admin);
    const { id, name } = await cast.stage.room({}, 'admin');
    for (const one of [socket, admin]) await one.emitWithAck('join_room', { room: name });
    const heard = [collect(socket, 'user_left'), collect(socket, 'new_message')];
    const unread = stopReading(socket);
    const out = next(admin, 'user_left');
    await cast.stage.ok({ module: 'rooms', command: 'update', entity: id, payload: { private: true } });
    await out;
    await admin.emitWithAck('send_message', { room: id, message: 'among us' });
    await unread.cut();
    const recovered = next(socket, 'system:state_recovered');
    back();
    await recovered;
    expect(heard).toEqual([[expect.objectContaining({ room: name })], []]);
  });

  test('after its user was revoked is refused', async () => {
    const person = await cast.stage.person();
    const { socket, cut, back } = await roaming(person.token);
    await cut();
    await cast.stage.ok({
      module: 'users',
      command: 'update',
      entity: person.id,
      payload: { password: 'another one' },
    });
    const refused = next(socket, 'connect_error');
    back();
    expect((await refused).data.code).toBe('UNAUTHORIZED');
  });

  test('after it left by itself begins anew, and is told so', async () => {
    const { socket, back } = await roaming(cast.people.user.token);
    socket.disconnect();
    const failed = next(socket, 'system:state_recovery_failed');
    back();
    await failed;
    expect(socket.recovered).toBe(false);
  });
});

/** What a client keeps to come back with. */
const secrets = (socket: Socket): { pid: string; offset: string } => {
  const { _pid: pid, _lastOffset: offset } = socket as unknown as { _pid: string; _lastOffset: string };
  return { pid, offset };
};
