import { spawn } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { block, run } from '../seeds/blocks.ts';
import { eventually } from '../system/clients/wait.ts';
import type { System } from '../system/system.ts';
import { Cast, collect, type Heard, isoDate, named, next } from './seeds/cast.ts';
import { systems } from './seeds/systems.ts';

const timestamp = expect.stringMatching(isoDate);
const text = expect.any(String);
const root = new URL('../..', import.meta.url).pathname;

describe.each(systems)('the rooms guide over %s', (_name, start) => {
  let system: System;
  let cast: Cast;
  beforeAll(async () => {
    system = await start();
    cast = await Cast.of(system);
  }, 60_000);
  afterEach(() => cast?.closeSockets());
  afterAll(() => system?.stop());

  /** Two people in a room, on different gateways where there are several. */
  async function inRoom(): Promise<{ room: string; socket: Socket; other: Socket }> {
    const { user, stranger } = cast.people;
    const [socket, other] = [await cast.connect(user), await cast.connect(stranger)];
    const room = cast.room();
    await join(socket, room);
    const heard = joinOf(socket, stranger);
    await join(other, room);
    await heard;
    return { room, socket, other };
  }
  /** The word of one person's join: on another gateway that of somebody else may still be on its way. */
  const joinOf = (socket: Socket, { id }: { id: string }): Promise<Heard> =>
    new Promise((resolve) => {
      const listen = (heard: Heard & { user?: { id: string } }) => {
        if (heard.user?.id !== id) return;
        socket.off('user_joined', listen);
        resolve(heard);
      };
      socket.on('user_joined', listen);
    });
  /** Joins and waits until the room, which is the socket too, has heard of it: over gateways the ack may be first. */
  async function join(socket: Socket, room: string): Promise<void> {
    const heard = next(socket, 'user_joined');
    await socket.emitWithAck('join_room', { room });
    await heard;
  }
  const exception = async (socket: Socket, event: string, payload: unknown): Promise<Heard> => {
    const told = next(socket, 'exception');
    const acked = await socket.timeout(15_000).emitWithAck(event, payload);
    expect(await told).toEqual(acked);
    return acked;
  };

  describe('a room', () => {
    test('hears who joins and who leaves, and so do they', async () => {
      const { user, stranger } = cast.people;
      const [first, second] = [await cast.connect(user), await cast.connect(stranger)];
      const room = cast.room();
      await join(first, room);
      const joined = Promise.all([first, second].map((socket) => joinOf(socket, stranger)));
      second.emit('join_room', { room });
      const passage = { user: named(stranger), room, timestamp };
      expect(await joined).toEqual([passage, passage]);
      const left = Promise.all([next(first, 'user_left'), next(second, 'user_left')]);
      second.emit('leave_room', { room });
      expect(await left).toEqual([passage, passage]);
    });

    test('hears of a join once, however often it is asked for', async () => {
      const { room, socket, other } = await inRoom();
      const joins = collect(socket, 'user_joined');
      const acked = await other.emitWithAck('join_room', { room });
      expect(acked).toEqual({ user: named(cast.people.stranger), room, timestamp });
      await other.emitWithAck('send_message', { room, message: 'after' });
      await socket.emitWithAck('ping');
      expect(joins).toEqual([]);
    });

    test('hears of who disconnects', async () => {
      const { room, socket, other } = await inRoom();
      const left = next(socket, 'user_left');
      other.disconnect();
      expect(await left).toEqual({ user: named(cast.people.stranger), room, timestamp });
    });

    test('is not left by who was not in it', async () => {
      const { room, socket } = await inRoom();
      const third = await cast.connect(cast.people.admin);
      const left = collect(socket, 'user_left');
      await third.emitWithAck('leave_room', { room });
      await third.emitWithAck('send_message', { room, message: 'after' });
      await socket.emitWithAck('ping');
      expect(left).toEqual([]);
    });

    test.each([
      ['user:1', 'FORBIDDEN'],
      ['role:admin', 'FORBIDDEN'],
      ['admin', 'FORBIDDEN'],
      ['', 'INVALID_REQUEST'],
      [7, 'INVALID_REQUEST'],
    ])('named %j cannot be joined', async (room, code) => {
      const socket = await cast.connect(cast.people.user);
      expect(await exception(socket, 'join_room', { room })).toEqual({
        status: 'error',
        event: 'join_room',
        message: text,
        code,
      });
    });

    test('that becomes private is heard no more by who is no member', async () => {
      const { user, stranger } = cast.people;
      const { name, id } = await cast.stage.room();
      const [socket, other] = [await cast.connect(user), await cast.connect(stranger)];
      for (const one of [socket, other]) await one.emitWithAck('join_room', { room: name });
      const left = next(socket, 'user_left');
      const heard = collect(other, 'new_message');
      await cast.stage.ok({ module: 'rooms', command: 'update', entity: id, payload: { private: true } });
      expect(await left).toEqual({ user: named(stranger), room: name, timestamp });
      await socket.emitWithAck('send_message', { room: name, message: 'among us' });
      await other.emitWithAck('ping');
      expect(heard).toEqual([]);
    });
  });

  describe('a message', () => {
    test('to a room is heard there, by its sender too, and stored', async () => {
      const { room, socket, other } = await inRoom();
      const outside = collect(await cast.connect(cast.people.admin), 'new_message');
      const heard = Promise.all([next(socket, 'new_message'), next(other, 'new_message')]);
      const acked = await socket.emitWithAck('send_message', { room, message: 'Hello everyone!' });
      const message = { id: text, from: named(cast.people.user), message: 'Hello everyone!', room, timestamp };
      expect(acked).toEqual(message);
      expect(await heard).toEqual([acked, acked]);
      const history = await cast.stage.ok({ module: 'rooms', command: 'history', entity: room, payload: {} }, 'user');
      expect(history).toEqual({ items: [acked] });
      expect(outside).toEqual([]);
    });

    test('to a room keeps its place among those of its sender', async () => {
      const { room, socket, other } = await inRoom();
      const heard = collect(other, 'new_message');
      const sent = Array.from({ length: 50 }, (_, n) => n);
      await Promise.all(sent.map((message) => socket.emitWithAck('send_message', { room, message })));
      await eventually(
        async () => heard.length,
        (length) => length >= 50,
        5_000,
      );
      expect(heard.map(({ message }) => message)).toEqual(sent);
    });

    test('that another protocol sends to a room is heard there as well', async () => {
      const { room, other } = await inRoom();
      const heard = next(other, 'new_message');
      const ask = { module: 'rooms', command: 'send', entity: room, payload: { message: 'by HTTP' } };
      const sent = await cast.stage.ok(ask, 'user');
      expect(await heard).toEqual(sent);
    });

    test('to a user is heard by each of the sockets of that user only', async () => {
      const { user, stranger, admin } = cast.people;
      const [sender, one, two] = [await cast.connect(user), await cast.connect(stranger), await cast.connect(stranger)];
      const others = [collect(sender, 'new_message'), collect(await cast.connect(admin), 'new_message')];
      const heard = Promise.all([next(one, 'new_message'), next(two, 'new_message')]);
      const message = { text: 'Private message', $raw: true };
      const acked = await sender.emitWithAck('send_message', { to: stranger.id, message });
      expect(acked).toEqual({ id: text, from: named(user), message, to: stranger.id, timestamp });
      expect(await heard).toEqual([acked, acked]);
      for (const socket of [sender, one]) await socket.emitWithAck('ping');
      expect(others).toEqual([[], []]);
    });

    test('to nobody in particular is heard by everybody', async () => {
      const { user, stranger } = cast.people;
      const [sender, other] = [await cast.connect(user), await cast.connect(stranger)];
      const heard = Promise.all([next(sender, 'new_message'), next(other, 'new_message')]);
      const acked = await sender.emitWithAck('send_message', { message: 'Global message' });
      expect(acked).toEqual({ id: text, from: named(user), message: 'Global message', timestamp });
      expect(await heard).toEqual([acked, acked]);
    });

    test('to a private room one is not in is refused', async () => {
      const { name } = await cast.stage.room({ private: true });
      const socket = await cast.connect(cast.people.stranger);
      expect(await exception(socket, 'send_message', { room: name, message: 'hello' })).toMatchObject({
        event: 'send_message',
        code: 'FORBIDDEN',
      });
    });

    test.each([
      [{ room: 'a' }, 'Missing message.'],
      [{ room: 'a', to: 'b', message: 'c' }, 'Either room or to.'],
      [{ room: 'a', message: { $set: 1 } }, 'The key "$set" is not allowed.'],
      [{ message: { constructor: 1 } }, 'The key "constructor" is not allowed.'],
      [{ message: 'a', from: 'b' }, 'The key "from" is not allowed.'],
      ['hello', 'The payload is not an object.'],
    ])('like %j is refused', async (payload, message) => {
      const socket = await cast.connect(cast.people.user);
      expect(await exception(socket, 'send_message', payload)).toEqual({
        status: 'error',
        event: 'send_message',
        message,
        code: 'INVALID_REQUEST',
      });
    });
  });

  test('who is online is told', async () => {
    const { user, stranger } = cast.people;
    const sockets = [await cast.connect(user), await cast.connect(user), await cast.connect(stranger)];
    const [socket] = sockets as [Socket];
    const ask = async () => {
      const told = next(socket, 'online_users');
      socket.emit('get_online_users');
      return told;
    };
    const answer = await eventually(ask, ({ count }) => count === 2, 10_000);
    expect(Object.keys(answer).sort()).toEqual(['count', 'users']);
    expect(answer.users).toHaveLength(2);
    expect(answer.users).toEqual(expect.arrayContaining([named(user), named(stranger)]));
    expect(await socket.emitWithAck('get_online_users')).toMatchObject({ count: 2 });
  });

  test('who comes online and goes offline is told to everybody, once', async () => {
    const watcher = await cast.connect(cast.people.user);
    const person = await cast.stage.person();
    const heard = { user_online: collect(watcher, 'user_online'), user_offline: collect(watcher, 'user_offline') };
    const of = (event: keyof typeof heard) => heard[event].filter(({ user }) => user.id === person.id);
    const sockets = [await cast.connect(person), await cast.connect(person)];
    await eventually(
      async () => of('user_online').length,
      (count) => count > 0,
      10_000,
    );
    for (const socket of sockets) socket.disconnect();
    await eventually(
      async () => of('user_offline').length,
      (count) => count > 0,
      15_000,
    );
    const told = [{ user: named(person), timestamp }];
    expect([of('user_online'), of('user_offline')]).toEqual([told, told]);
  });

  test('a ping is answered with who asked', async () => {
    const socket = await cast.connect(cast.people.user);
    const pong = next(socket, 'pong');
    socket.emit('ping');
    expect(await pong).toEqual({ user: named(cast.people.user), timestamp });
  });

  describe('an announcement', () => {
    test('of an administrator is heard by everybody', async () => {
      const { admin, user } = cast.people;
      const [speaker, other] = [await cast.connect(admin), await cast.connect(user)];
      const heard = Promise.all([next(speaker, 'admin_announcement'), next(other, 'admin_announcement')]);
      speaker.emit('admin_broadcast', { message: 'System maintenance in 10 minutes' });
      const announcement = { message: 'System maintenance in 10 minutes', from: named(admin), timestamp };
      expect(await heard).toEqual([announcement, announcement]);
    });

    test('of anybody else is refused', async () => {
      const socket = await cast.connect(cast.people.user);
      expect(await exception(socket, 'admin_broadcast', { message: 'free beer' })).toEqual({
        status: 'error',
        event: 'admin_broadcast',
        message: text,
        code: 'FORBIDDEN',
      });
    });
  });

  describe('the code blocks', () => {
    const place = (token: string) => ({ url: cast.url, token });

    test.each(['1. Authorization Header', '2. Query Parameter', '3. Auth Object Recommended', 'Debug Mode'])(
      'connect: %s',
      async (title) => {
        const socket = cast.owned(run<Socket>(block('004', title, place(cast.people.user.token)), { io }));
        await next(socket, 'connect');
      },
    );

    test('of the events', async () => {
      const { admin, user } = cast.people;
      const socket = await cast.connect(admin);
      const other = await cast.connect(user);
      await join(other, 'room-name');
      const heard = [collect(other, 'user_joined'), collect(other, 'new_message'), collect(other, 'user_left')];
      const told = (name: string) => next(socket, name);
      const play = (title: string) => run(block('004', title, place(admin.token)), { socket, userId: user.id });
      play('join_room');
      play('send_message');
      const announced = next(other, 'admin_announcement');
      const answers = Promise.all([told('online_users'), told('pong')]);
      play('get_online_users');
      play('ping');
      play('admin_broadcast');
      play('leave_room');
      expect(await answers).toMatchObject([{ count: expect.any(Number) }, { user: named(admin) }]);
      expect((await announced).message).toBe('System maintenance in 10 minutes');
      await eventually(
        async () => heard.map(({ length }) => length),
        ([, , left]) => left === 1,
        5_000,
      );
      expect(heard[0]).toEqual([{ user: named(admin), room: 'room-name', timestamp }]);
      const messages = heard[1]?.map(({ message, room, to }) => ({ message, room, to }));
      expect(messages).toEqual([
        { message: 'Hello everyone!', room: 'room-name' },
        { message: 'Private message', to: user.id },
        { message: 'Global message' },
      ]);
    });

    test.each(['auth object', 'query'])('of the browser, with the token in the %s', async (where) => {
      const { user, stranger } = cast.people;
      const whole = block('004', 'JavaScriptTypeScript Browser', place(user.token));
      // The block shows two ways to make one socket: either is a program.
      const parts = /^([\s\S]*?)(\/\/ Connect with[\s\S]*?\n}\);\n)([\s\S]*?)(\/\/ Listen for connection[\s\S]*)$/.exec(
        whole,
      );
      const [, head, byAuth, byQuery, rest] = parts as unknown as string[];
      const client = program(`${head}${where === 'query' ? byQuery : byAuth}${rest}`, 'module');
      try {
        const other = await cast.connect(stranger);
        await client.line(/^Connected: /);
        await client.line(/^New message: .*Hello everyone!/);
        await other.emitWithAck('join_room', { room: 'general' });
        await client.line(new RegExp(`^User joined: .*${stranger.username}`));
        const person = await cast.stage.person();
        await cast.connect(person);
        await client.line(new RegExp(`^User online: .*${person.username}`));
      } finally {
        await client.end();
      }
    });

    test('of the browser, of what fails', async () => {
      const general = { module: 'rooms', command: 'create', payload: { name: 'general', private: true } };
      const { id } = await cast.stage.ok<{ id: string }>(general, 'admin');
      const parts = block('004', 'JavaScriptTypeScript Browser', place(cast.people.stranger.token));
      const [head = '', rest = ''] = parts.split(/\/\/ Or connect with[^;]*;\n/);
      const client = program(`${head}${rest}`, 'module');
      try {
        await client.line(/^WebSocket error: .*event: 'join_room'.*code: 'FORBIDDEN'/);
        await client.line(/^WebSocket error: .*event: 'send_message'.*code: 'FORBIDDEN'/);
      } finally {
        await client.end();
        await cast.stage.ok({ module: 'rooms', command: 'delete', entity: id }, 'admin');
      }
    });

    test('of Node.js', async () => {
      const { admin } = cast.people;
      const person = await cast.stage.person();
      await cast.stage.ok({
        module: 'users',
        command: 'update',
        entity: person.id,
        payload: { email: 'who@example.org' },
      });
      const other = await cast.connect(person);
      await join(other, 'developers');
      const joined = joinOf(other, admin);
      const client = program(block('004', 'Node.js Client', place(admin.token)), 'commonjs');
      try {
        await client.line(/^Connected: /);
        expect((await joined).user).toEqual(named(admin));
        await other.emitWithAck('send_message', { room: 'developers', message: 'hi' });
        await client.line(/^Message from who@example\.org: hi$/);
      } finally {
        await client.end();
      }
    });

    test('of the React hook', async () => {
      const { user } = cast.people;
      const hook = block('004', 'React Hook Example', place(user.token));
      const client = program(`${hook}\n${harness(user.token)}`, 'module-typescript');
      try {
        await client.line(/^Connected to WebSocket$/);
        await client.line(/^messages \["from the hook"\]$/);
        await client.line(/^Disconnected from WebSocket$/);
      } finally {
        await client.end();
      }
    });
  });
});

/** A component that uses the hook: joins, sends, hears, and goes. */
const harness = (token: string) => `
import { createElement } from 'react';
import { create } from 'react-test-renderer';
const Component = () => {
  const { isConnected, messages, sendMessage, joinRoom } = useWebSocket(${JSON.stringify(token)});
  useEffect(() => {
    if (!isConnected) return;
    joinRoom('of-the-hook');
    sendMessage({ room: 'of-the-hook', message: 'from the hook' });
  }, [isConnected]);
  useEffect(() => {
    if (messages.length === 0) return;
    console.log('messages ' + JSON.stringify(messages.map(({ message }) => message)));
    root.unmount();
  }, [messages]);
  return null;
};
const root = create(createElement(Component));
`;

interface Program {
  /** Waits until a line of its output matches. @throws Error with the output where none does */
  line(pattern: RegExp): Promise<void>;
  end(): Promise<void>;
}

/** A program of its own, which finds the packages of this project. */
function program(code: string, type: 'module' | 'commonjs' | 'module-typescript'): Program {
  const child = spawn(process.execPath, [`--input-type=${type}`, '-e', code], { cwd: root });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  // An object takes more than one line.
  const lines = () => output.replaceAll(/\n\s+/g, ' ').replaceAll('\n}', ' }').split('\n');
  return {
    async line(pattern) {
      await eventually(
        async () => lines(),
        (all) => all.some((line) => pattern.test(line)),
        10_000,
      );
    },
    async end() {
      child.kill();
      await ended;
    },
  };
}
