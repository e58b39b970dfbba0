import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { eventually } from '../system/clients/wait.ts';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

const secret = 'the secret of tokens in this test';
let system: System;
let url: string;
let adminToken: string;
let sockets: Socket[] = [];

const api = async (path: string, token: string | null, method = 'GET', body?: unknown) => {
  const answer = await fetch(`${url}/api/${path}`, {
    method,
    headers: { ...(token && { authorization: `Bearer ${token}` }), 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return text === '' ? undefined : JSON.parse(text);
};
const login = async (username: string, password: string): Promise<string> =>
  (await api('auth', null, 'POST', { username, password })).bearer;
let counter = 0;
const newUser = async (): Promise<{ id: string; username: string; token: string }> => {
  counter += 1;
  const username = `user-${counter}`;
  const { id } = await api('users', adminToken, 'POST', { username, password: 'secret' });
  return { id, username, token: await login(username, 'secret') };
};

const open = (options: Partial<ManagerOptions & SocketOptions>): Socket => {
  const socket = io(url, { forceNew: true, reconnection: false, transports: ['websocket'], ...options });
  sockets.push(socket);
  return socket;
};
// biome-ignore lint/suspicious/noExplicitAny: what an event carries is what the test is about
const next = (socket: Socket, event: string): Promise<any> => new Promise((resolve) => socket.once(event, resolve));
const connected = async (options: Partial<ManagerOptions & SocketOptions>): Promise<Socket> => {
  const socket = open(options);
  await next(socket, 'connect');
  return socket;
};

beforeAll(async () => {
  system = await startOneProcess({
    JWT_SECRET: secret,
    RATE_LIMIT_MESSAGES: '40',
    CORS_ORIGINS: 'https://app.example',
  });
  url = system.httpUrls[0] as string;
  adminToken = await login('admin', system.adminPassword);
});
afterAll(() => system?.stop());
afterEach(() => {
  for (const socket of sockets) socket.close();
  sockets = [];
});

describe('a connection', () => {
  test.each([
    ['auth.token', () => ({ auth: { token: adminToken } })],
    ['the Authorization header', () => ({ extraHeaders: { Authorization: `Bearer ${adminToken}` } })],
    ['?token=', () => ({ query: { token: adminToken } })],
    ['polling', () => ({ auth: { token: adminToken }, transports: ['polling'] })],
  ])('is let in with a token by %s', async (_where, options) => {
    await expect(connected(options())).resolves.toMatchObject({ connected: true });
  });

  test('has one namespace: the one of administrators is not there unless it is asked for', async () => {
    const socket = io(`${url}/admin`, { forceNew: true, reconnection: false, auth: { token: adminToken } });
    sockets.push(socket);
    expect((await next(socket, 'connect_error')).message).toBe('Invalid namespace');
  });

  test.each([
    ['none', undefined],
    ['nonsense', 'nonsense'],
    ['one of another secret', jwt.sign({ userId: '1', tokenVersion: 1 }, 'another secret, long enough')],
    ['one that has expired', jwt.sign({ userId: '1', tokenVersion: 1 }, secret, { expiresIn: -10 })],
    ['one of a user who is not there', jwt.sign({ userId: 'nobody', tokenVersion: 1 }, secret, { expiresIn: 60 })],
    ['one without a user', jwt.sign({ tokenVersion: 1 }, secret, { expiresIn: 60 })],
  ])('is refused with %s for a token', async (_what, token) => {
    const error = await next(open(token ? { auth: { token } } : {}), 'connect_error');
    expect(error.data).toMatchObject({ code: 'UNAUTHORIZED', message: expect.any(String) });
  });

  test.each([
    ['of the same origin is let in', () => url, 'connect'],
    ['of a listed origin is let in', () => 'https://app.example', 'connect'],
    ['of another origin is refused', () => 'https://evil.example', 'connect_error'],
  ])('from a page %s', async (_what, origin, outcome) => {
    const socket = open({ auth: { token: adminToken }, extraHeaders: { Origin: origin() } });
    const first = Promise.race(['connect', 'connect_error'].map((name) => next(socket, name).then(() => name)));
    expect(await first).toBe(outcome);
  });

  test('ends when its token expires', async () => {
    const { id } = await newUser();
    const token = jwt.sign({ userId: id, tokenVersion: 1 }, secret, { expiresIn: 1 });
    const socket = await connected({ auth: { token } });
    expect(await next(socket, 'disconnect')).toBe('io server disconnect');
  });

  test.each([
    ['logs out', (user: { token: string }) => api('auth', user.token, 'DELETE')],
    ['is deleted', (user: { id: string }) => api(`users/${user.id}`, adminToken, 'DELETE')],
    [
      'may no longer log in',
      (user: { id: string }) => api(`users/${user.id}`, adminToken, 'PATCH', { can_login: false }),
    ],
    [
      'has a new password',
      (user: { id: string }) => api(`users/${user.id}`, adminToken, 'PATCH', { password: 'another' }),
    ],
  ])('ends within 2 s when its user %s', async (_what, act) => {
    const user = await newUser();
    const socket = await connected({ auth: { token: user.token } });
    const ended = next(socket, 'disconnect');
    const started = performance.now();
    await act(user as never);
    await ended;
    expect(performance.now() - started).toBeLessThan(2_000);
    const again = await next(open({ auth: { token: user.token } }), 'connect_error');
    expect(again.data.code).toBe('UNAUTHORIZED');
  });

  test('is seen by presence until it ends', async () => {
    const user = await newUser();
    const socket = await connected({ auth: { token: user.token } });
    const seen = () => api(`presence/${user.id}`, adminToken);
    expect(await eventually(seen, ({ online }) => online, 2_000)).toMatchObject({
      username: user.username,
      sessions: [{ id: socket.id, protocol: 'socketio' }],
    });
    const list = await api(`presence?search=${user.username}`, adminToken);
    expect(list.items).toEqual([{ id: user.id, username: user.username, email: null, sessions: 1 }]);
    socket.close();
    await eventually(seen, ({ online }) => !online, 2_000);
  });
});

describe('a request', () => {
  test('is answered on the event of its id and by the acknowledgement', async () => {
    const socket = await connected({ auth: { token: adminToken } });
    const event = next(socket, 'r-1');
    const ack = await socket.emitWithAck('request', { command: 'read', module: 'auth', requestId: 'r-1' });
    expect(ack).toMatchObject({ username: 'admin' });
    expect(await event).toEqual(ack);
  });

  test('is answered by both just once, also with an error', async () => {
    const socket = await connected({ auth: { token: adminToken } });
    const heard: unknown[] = [];
    socket.on('r-1', (answer: unknown) => heard.push(answer));
    const acks: unknown[] = [];
    const request = { command: 'read', module: 'users', requestId: 'r-1', entity: 'nobody' };
    socket.emit('request', request, (answer: unknown) => acks.push(answer));
    await socket.emitWithAck('request', { command: 'list', module: 'version', requestId: 'r-2' });
    const refused = { error: { code: 'NOT_FOUND', message: expect.any(String) }, requestId: 'r-1' };
    await eventually(
      async () => [heard.length, acks.length],
      ([first, second]) => first === 1 && second === 1,
      5_000,
    );
    expect([heard, acks]).toEqual([[refused], [refused]]);
  });

  test('may be JSON text', async () => {
    const socket = await connected({ auth: { token: adminToken } });
    const answer = next(socket, 'r-2');
    socket.emit('request', JSON.stringify({ command: 'list', module: 'version', requestId: 'r-2' }));
    expect(await answer).toMatchObject({ release: expect.any(String) });
  });

  test('that answers nothing answers null', async () => {
    const { token } = await newUser();
    const socket = await connected({ auth: { token } });
    const { id } = await api('rooms', token, 'POST', { name: `room of ${token.slice(-8)}` });
    expect(
      await socket.emitWithAck('request', { command: 'delete', module: 'rooms', requestId: 'd', entity: id }),
    ).toBeNull();
  });

  test.each([
    ['an unknown key', { command: 'list', module: 'users', requestId: 'x', token: 'y' }, 'token'],
    ['a command that is no name', { command: 7, module: 'users', requestId: 'x' }, 'command'],
    ['no module', { command: 'list', requestId: 'x' }, 'module'],
    [
      'a key constructor',
      { command: 'list', module: 'users', requestId: 'x', payload: { a: { constructor: 1 } } },
      'constructor',
    ],
  ])('with %s is refused by name where it can be answered', async (_what, request, key) => {
    const socket = await connected({ auth: { token: adminToken } });
    const answer = next(socket, 'x');
    socket.emit('request', request);
    const { error, requestId } = await answer;
    expect(requestId).toBe('x');
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining(key) });
  });

  test.each([
    ['no request id', { command: 'list', module: 'users' }],
    ['a request id that is an event of Socket.IO', { command: 'list', module: 'users', requestId: 'disconnect' }],
    ['a request id of 129 characters', { command: 'list', module: 'users', requestId: 'x'.repeat(129) }],
    ['text that is not JSON', '{'],
    ['nothing', undefined],
    ['a number', 7],
  ])('with %s is told on failure', async (_what, request) => {
    const socket = await connected({ auth: { token: adminToken } });
    const failure = next(socket, 'failure');
    socket.emit('request', request);
    expect(await failure).toMatchObject({ message: expect.any(String), error: { code: 'INVALID_REQUEST' } });
  });

  test('beyond the limit of the minute is refused with the seconds to wait', async () => {
    const socket = await connected({ auth: { token: adminToken } });
    const ask = (n: number) =>
      socket.emitWithAck('request', { command: 'list', module: 'version', requestId: `v${n}` });
    const answers = await Promise.all(Array.from({ length: 45 }, (_, n) => ask(n)));
    const refused = answers.filter(({ error }) => error);
    expect(refused).toHaveLength(5);
    expect(refused[0].error).toMatchObject({ code: 'RATE_LIMITED', retryAfter: expect.any(Number) });
  });
});
