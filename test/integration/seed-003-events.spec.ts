import { createHmac, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { documented, documentedText, shapeOf } from '../seeds/shapes.ts';
import { httpRequest } from '../system/clients/http.client.ts';
import type { System } from '../system/system.ts';
import { Cast, collect, next } from './seeds/cast.ts';
import { systems } from './seeds/systems.ts';

type Fields = Record<string, unknown>;
/** The shape of a block; `open` are its objects that may hold anything. */
const shape = (title: string, ...open: string[]): Fields => ({
  ...(shapeOf(documented(title)) as Fields),
  ...Object.fromEntries(open.map((key) => [key, expect.anything()])),
});

/** The events of seed 003: what is sent is a block of the seed, and so is the shape of what comes. */
describe.each(systems)('the documented events over %s', (name, start) => {
  let system: System;
  let cast: Cast;
  beforeAll(async () => {
    system = await start();
    cast = await Cast.of(system);
  }, 60_000);
  afterEach(() => cast?.closeSockets());
  afterAll(() => system?.stop(), 30_000);

  const key = () => ({ 'x-api-key': system.apiKey });
  const push = (event: string, data: unknown, userId: string) =>
    httpRequest(`${system.httpUrls[0]}/api/push`, { method: 'POST', headers: key(), json: { userId, event, data } });

  /** As the seed has it: without an acknowledgement, the answer on its event. */
  async function answer(socket: Socket, event: string, payload: unknown, on: string): Promise<unknown> {
    const heard = next(socket, on);
    socket.emit(event, payload);
    return heard;
  }

  test('register', async () => {
    const { user } = cast.people;
    const socket = await cast.connect(user);
    const own = { ...documented('register parameters'), userId: user.id };
    expect(await answer(socket, 'register', own, 'register:ack')).toEqual({
      ...shape('register response'),
      userId: user.id,
    });
    const other = documented('register parameters');
    expect(await answer(socket, 'register', other, 'register:ack')).toEqual({
      ...shape('register error'),
      error: expect.any(String),
    });
  });

  test.each([
    ['client:event', 'server:response', ['data'], {}],
    ['client:message', 'message:ack', [], {}],
    ['client:action', 'action:result', ['result'], { action: 'version.list' }],
    ['room:join', 'room:join:ack', [], {}],
    ['room:leave', 'room:leave:ack', [], {}],
  ])('%s is answered on %s', async (event, on, open, named) => {
    const socket = await cast.registered(cast.people.user);
    const answered = await answer(socket, event, { ...documented(`${event} parameters`), ...named }, on);
    expect(answered).toEqual(shape(`${event} response`, ...open));
    expect(answered).toEqual(shape(`${on} data`, ...open));
  });

  test('ping', async () => {
    const socket = await cast.connect(cast.people.user);
    const given = await new Promise((resolve) =>
      socket.emit('ping', documented('ping parameters'), (...data: unknown[]) => resolve(data)),
    );
    expect(given).toEqual([]);
  });

  test('error', async () => {
    const socket = await cast.registered(cast.people.user);
    const { content: _left, ...payload } = documented('client:message parameters');
    const told = await answer(socket, 'client:message', payload, 'error');
    expect(told).toEqual(documented('WebSocket Errors'));
    expect(told).toEqual(shape('error data'));
  });

  test('system:welcome', async () => {
    const socket = cast.open(cast.people.user.token);
    const told = await next(socket, 'system:welcome');
    expect(told).toEqual(shape('system:welcome data'));
    expect(told.socketId).toBe(socket.id);
  });

  test.each(['system:notification', 'notification'])('%s comes from the push API, to each socket', async (event) => {
    const { user, stranger } = cast.people;
    const sockets = await Promise.all(system.socketioUrls.map(() => cast.connect(user)));
    const others = collect(await cast.connect(stranger), event);
    for (const type of String(documented('system:notification data').type).split('|')) {
      const data = { ...documented('system:notification data'), type, timestamp: new Date().toISOString() };
      const heard = Promise.all(sockets.map((socket) => next(socket, event)));
      expect((await push(event, data, user.id)).body).toMatchObject({ delivered: true });
      expect(await heard).toEqual(sockets.map(() => ({ ...shape('system:notification data'), type })));
    }
    expect(others).toEqual([]);
  });

  test('system:notification gets its time where the push has none', async () => {
    const socket = await cast.connect(cast.people.user);
    const heard = next(socket, 'system:notification');
    const { timestamp: _, ...data } = documented('system:notification data');
    await push('system:notification', { ...data, type: 'info' }, cast.people.user.id);
    expect(await heard).toEqual({ ...shape('system:notification data'), type: 'info' });
  });

  test('system:state_recovery_failed', async () => {
    const { token } = cast.people.user;
    const socket = cast.open(token, { auth: { token, pid: randomUUID(), offset: 'x' } });
    expect(await next(socket, 'system:state_recovery_failed')).toEqual(shape('system:state_recovery_failed data'));
  });

  if (name === 'one process') {
    test('system:state_recovered', async () => {
      const { user } = cast.people;
      const socket = await cast.connect(user);
      // The client knows where it was by what it heard last.
      const heard = next(socket, 'news');
      await push('news', {}, user.id);
      await heard;
      const gone = next(socket, 'disconnect');
      socket.io.engine.close();
      await gone;
      const recovered = next(socket, 'system:state_recovered');
      socket.connect();
      expect(await recovered).toEqual({ ...shape('system:state_recovered data'), userId: user.id });
    });
  }

  test('the headers of a request', async () => {
    const headersOf = (title: string): Record<string, string> =>
      Object.fromEntries(
        documentedText(title)
          .replace('your-api-key', system.apiKey)
          .split('\n')
          .map((line) => line.split(': ')),
      );
    const status = (headers: Record<string, string>) => httpRequest(`${system.httpUrls[0]}/api/status`, { headers });
    const withKey = headersOf('HTTP Authentication key');
    expect((await status(withKey)).status).toBe(200);
    const written = headersOf('HTTP Authentication signed');
    // Its time is long over.
    expect(await status({ ...withKey, ...written })).toMatchObject({
      status: 401,
      body: { code: 'INVALID_SIGNATURE' },
    });
    const now = { ...withKey, ...written, 'X-Request-Timestamp': `${Date.now()}`, 'X-Request-Nonce': randomUUID() };
    const values: Record<string, string> = {
      METHOD: 'GET',
      PATH: '/api/status',
      TIMESTAMP: now['X-Request-Timestamp'],
      NONCE: now['X-Request-Nonce'],
    };
    const [, formula = ''] =
      /^HMAC-SHA256\(API_KEY, (.*)\)$/.exec(documentedText('HTTP Authentication signature')) ?? [];
    const text = formula.split(' + ').map((part) => values[part]);
    const signature = createHmac('sha256', system.apiKey).update(text.join('')).digest('hex');
    expect((await status({ ...now, 'X-Signature': signature })).status).toBe(200);
  });

  test.each([
    [400, 'INVALID_REQUEST', 'POST', '/api/push', { json: { event: 'a' } }],
    [401, 'UNAUTHORIZED', 'GET', '/api/cameras', { headers: {} }],
    [403, 'FORBIDDEN', 'GET', '/api/users', {}],
    [404, 'NOT_FOUND', 'GET', '/api/nothing', {}],
  ])('the error %i %s', async (status, code, method, path, more: { json?: unknown; headers?: object }) => {
    const headers = method === 'POST' ? key() : { authorization: `Bearer ${cast.people.user.token}` };
    const answered = await httpRequest(`${system.httpUrls[0]}${path}`, { method, headers, ...more } as never);
    const { details: _more, ...body } = answered.body as Fields;
    expect([answered.status, body]).toEqual([status, { ...shape('error'), error: expect.any(String), code }]);
  });

  test('system:reconnect_status, before a gateway ends', async () => {
    const gateway = system.processes[name === 'one process' ? 'all' : 'socketio-1'];
    const sockets = await Promise.all(system.socketioUrls.map(() => cast.connect(cast.people.user)));
    const order: string[] = [];
    const told = sockets.map((one) => {
      one.on('disconnect', () => order.push('disconnect'));
      return new Promise((resolve) => {
        one.once('system:reconnect_status', (data) => {
          order.push('told');
          resolve(data);
        });
      });
    });
    try {
      const ended = gateway?.kill('SIGTERM');
      expect(await Promise.race([...told, ended])).toEqual(shape('system:reconnect_status data'));
      await ended;
      expect(order[0]).toBe('told');
    } finally {
      await gateway?.restart();
    }
  }, 30_000);
});
