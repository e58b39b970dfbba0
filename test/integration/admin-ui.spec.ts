import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { instrument } from '@socket.io/admin-ui';
import { Server } from 'socket.io';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { eventually, within } from '../system/clients/wait.ts';
import type { System } from '../system/system.ts';
import { Cast, type Heard, next } from './seeds/cast.ts';
import { systems } from './seeds/systems.ts';

const answered = ['session', 'config', 'all_sockets', 'server_stats'];
const told = ['socket_connected', 'socket_updated', 'socket_disconnected', 'room_joined', 'room_left'];
const base = { forceNew: true, reconnection: false, transports: ['websocket'] };

/** What a server told an administrator, by event. */
type Told = Record<string, Heard[][]>;

function listen(socket: Socket): Told {
  const heard: Told = {};
  for (const event of [...answered, ...told]) {
    heard[event] = [];
    socket.on(event, (...args: unknown[]) => heard[event]?.push(args));
  }
  return heard;
}

const holds = <T>(ask: () => T, good: (value: T) => boolean) => eventually(async () => ask(), good, 10_000);

describe.each(systems)('the Admin UI of %s', (_name, start) => {
  let system: System;
  let cast: Cast;
  beforeAll(async () => {
    system = await start({ SOCKETIO_ADMIN_UI: 'on' });
    cast = await Cast.of(system);
  }, 60_000);
  afterEach(() => cast?.closeSockets());
  afterAll(() => system?.stop(), 30_000);

  /** A connection to the namespace, to the next gateway in turn. */
  const open = (auth: object, options: Partial<ManagerOptions & SocketOptions> = {}): Socket =>
    cast.owned(io(`${cast.url}/admin`, { ...base, auth, ...options }));

  async function administrator(auth: object = { token: cast.people.admin.token }) {
    const socket = open(auth);
    const heard = listen(socket);
    await next(socket, 'all_sockets');
    return { socket, heard };
  }
  const refusal = async (auth: object) => next(open(auth), 'connect_error');

  test('shows an administrator the sockets of all gateways', async () => {
    const { user, stranger } = cast.people;
    const sockets = [
      ...(await Promise.all(system.socketioUrls.map(() => cast.connect(user)))),
      await cast.connect(stranger),
    ];
    const room = cast.room();
    await sockets[0]?.emitWithAck('join_room', { room });
    const { heard } = await administrator();
    const shown = heard.all_sockets?.[0]?.[0] as Heard[];
    const own = sockets.map(({ id }) => shown.find((one) => one.id === id));
    expect(own.map((one) => one?.data.user)).toEqual([...system.socketioUrls.map(() => user.id), stranger.id]);
    expect(own[0].rooms).toContain(`room:${room}`);
    expect(own[0]).toMatchObject({ nsp: '/', transport: 'websocket', handshake: { address: '127.0.0.1' } });
    expect(shown.filter(({ nsp }) => nsp === '/admin')).toHaveLength(1);
  });

  test('hears the figures of every gateway', async () => {
    await cast.connect(cast.people.user);
    const { heard } = await administrator();
    const latest = () => new Map(heard.server_stats?.map(([stats]) => [stats.serverId, stats]));
    await holds(latest, (stats) => stats.size === system.socketioUrls.length);
    const all = [...latest().values()];
    const sockets = all.flatMap(({ namespaces }) => namespaces).filter(({ name }) => name === '/');
    expect(sockets.reduce((sum, { socketsCount }) => sum + socketsCount, 0)).toBe(1);
    expect(new Set(all.map(({ pid }) => pid)).size).toBe(system.socketioUrls.length);
  });

  test('lets administrators in with their name and password, and again with the session they were given', async () => {
    const { username, password } = cast.people.admin;
    const { heard } = await administrator({ username, password });
    const [[sessionId]] = heard.session as [[string]];
    for (const _ of system.socketioUrls) await administrator({ sessionId });
  });

  test.each([
    ['without anything', () => ({}), 'UNAUTHORIZED', 'invalid credentials'],
    [
      'a wrong password',
      () => ({ username: cast.people.admin.username, password: 'wrong' }),
      'UNAUTHORIZED',
      'invalid credentials',
    ],
    ['a session nobody was given', () => ({ sessionId: 'x' }), 'UNAUTHORIZED', 'invalid credentials'],
    [
      'the token of who is no administrator',
      () => ({ token: cast.people.user.token }),
      'FORBIDDEN',
      expect.any(String),
    ],
    [
      'the password of who is no administrator',
      () => ({ username: cast.people.user.username, password: cast.people.user.password }),
      'FORBIDDEN',
      expect.any(String),
    ],
  ])('refuses %s', async (_what, auth, code, message) => {
    expect(await refusal(auth())).toMatchObject({ message, data: { code } });
  });

  test('tells who comes, joins, leaves and goes, at whichever gateway', async () => {
    const { heard } = await administrator();
    const room = cast.room();
    for (const _ of system.socketioUrls) {
      const socket = await cast.connect(cast.people.user);
      const { id } = socket;
      const of = (event: string, at: number) => () => heard[event]?.filter((args) => (args[at].id ?? args[at]) === id);
      await holds(of('socket_connected', 0), (all) => all?.length === 1);
      await socket.emitWithAck('join_room', { room });
      await holds(of('room_joined', 2), (all) => all?.some((args) => args[1] === `room:${room}`) === true);
      await socket.emitWithAck('leave_room', { room });
      await holds(of('room_left', 2), (all) => all?.some((args) => args[1] === `room:${room}`) === true);
      socket.close();
      await holds(of('socket_disconnected', 1), (all) => all?.length === 1);
    }
  });

  test('shows no token, no password and nothing that is sent', async () => {
    const { heard } = await administrator();
    const { token } = cast.people.user;
    const ways = [
      { auth: { token } },
      { auth: {}, query: { token } },
      { auth: {}, extraHeaders: { Authorization: `Bearer ${token}`, Cookie: `token=${token}` } },
    ];
    for (const way of ways) {
      const socket = await cast.connect(cast.people.user, way);
      await socket.emitWithAck('request', {
        ...{ module: 'auth', command: 'create', requestId: 'r' },
        payload: { username: cast.people.user.username, password: cast.people.user.password },
      });
      await socket.emitWithAck('send_message', { to: cast.people.user.id, message: 'a secret between us' });
    }
    const { heard: later } = await administrator();
    await holds(
      () => heard.socket_connected?.length ?? 0,
      (count) => count >= ways.length,
    );
    const { session: _own, ...rest } = later;
    const text = JSON.stringify([heard.socket_connected, rest]);
    for (const word of [token, cast.people.user.password, 'a secret between us']) expect(text).not.toContain(word);
    expect(text).toContain(cast.people.user.id);
  });

  test('lets an administrator emit, put a socket out of a room and end it, at whichever gateway', async () => {
    const { socket: admin, heard } = await administrator();
    const room = cast.room();
    for (const _ of system.socketioUrls) {
      const socket = await cast.connect(cast.people.user);
      await socket.emitWithAck('join_room', { room });
      const notice = next(socket, 'notice');
      admin.emit('emit', '/', `room:${room}`, 'notice', { text: 'hello' });
      expect(await notice).toEqual({ text: 'hello' });
      const left = () => heard.room_left?.some(([, name, id]) => name === `room:${room}` && id === socket.id) === true;
      admin.emit('leave', '/', `room:${room}`, socket.id);
      await holds(left, (is) => is);
      const gone = next(socket, 'disconnect');
      admin.emit('_disconnect', '/', true, socket.id);
      expect(await gone).toBe('io server disconnect');
    }
  });

  test('puts nobody into a room, nor out of one that stands for a role or user, and emits no reserved event', async () => {
    const { socket: admin, heard } = await administrator();
    const socket = await cast.connect(cast.people.user);
    const room = cast.room();
    admin.emit('join', '/', `room:${room}`, socket.id);
    admin.emit('leave', '/', `user:${cast.people.user.id}`, socket.id);
    admin.emit('emit', '/', socket.id, 'disconnect');
    admin.emit('_disconnect', '/admin', true);
    // What is malformed is not answered; the event after it shows that it was handled.
    const notice = next(socket, 'notice');
    admin.emit('emit', '/', `user:${cast.people.user.id}`, 'notice', 1);
    expect(await notice).toBe(1);
    expect(heard.room_joined?.filter((args) => args[1] === `room:${room}`)).toEqual([]);
    expect([admin.connected, socket.connected]).toEqual([true, true]);
  });

  test('ends with the rights of the administrator', async () => {
    const person = await cast.stage.person(['admin', 'user']);
    const { socket } = await administrator({ token: person.token });
    const gone = within(new Promise((resolve) => socket.once('disconnect', resolve)), 'the end', 2_000);
    await cast.stage.operator({
      ...{ module: 'users', command: 'update', entity: person.id },
      payload: { roles: ['user'] },
    });
    await gone;
    expect(await refusal({ token: person.token })).toMatchObject({ data: { code: 'UNAUTHORIZED' } });
  });

  test('tells what the server side of the Admin UI tells, key by key', async () => {
    const theirs = await reference();
    const { heard } = await administrator();
    const socket = await cast.connect(cast.people.user);
    await holds(
      () => [heard.socket_connected?.some(([one]) => one.id === socket.id), heard.server_stats?.length],
      ([connected, stats]) => connected === true && Number(stats) > 0,
    );
    for (const event of ['server_stats', 'all_sockets', 'socket_connected', 'room_joined']) {
      expect([event, shapeOf(heard[event]?.at(-1))]).toEqual([event, shapeOf(theirs[event]?.at(-1))]);
    }
  });
});

/** What the package's own server says to one administrator and one other socket. */
async function reference(): Promise<Told> {
  const http = createServer();
  const server = new Server(http);
  instrument(server, { auth: false, mode: 'development' });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const admin = io(`${url}/admin`, base);
  const heard = listen(admin);
  await next(admin, 'all_sockets');
  const other = io(url, base);
  await holds(
    () => [heard.socket_connected?.some(([one]) => one.nsp === '/'), heard.server_stats?.length],
    ([connected, stats]) => connected === true && Number(stats) > 0,
  );
  for (const socket of [admin, other]) socket.close();
  await server.close();
  return heard;
}

/** Types of values by key; what is in a query, in headers and in data differs. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 4).map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  const free = ['headers', 'query', 'data', 'aggregatedEvents', 'rooms', 'namespaces'];
  const entries = Object.entries(value).map(([key, one]) => [key, free.includes(key) ? 'free' : shapeOf(one)]);
  return Object.fromEntries(entries.sort(([a], [b]) => String(a).localeCompare(String(b))));
}
