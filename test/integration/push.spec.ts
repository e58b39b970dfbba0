import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { type HttpReply, httpRequest } from '../system/clients/http.client.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { eventually, within } from '../system/clients/wait.ts';
import { signed } from '../system/signing.ts';
import type { System } from '../system/system.ts';
import { systems } from './seeds/systems.ts';

/** Seed 003's HTTP API and seed 002's bridge, with the sockets of real clients. */

interface Person {
  id: string;
  token: string;
}

const isoDate = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
let system: System;
let asked = 0;
let admin: Person;
let ann: Person;
let bob: Person;
let userKey: string;
let signedKey: string;
const sockets: Socket[] = [];

/** The gateways in turn. */
const at = (urls: readonly string[]): string => urls[asked++ % urls.length] as string;
const byKey = () => ({ 'x-api-key': system.apiKey });
const post = (path: string, json: unknown, headers: Record<string, string> = byKey()): Promise<HttpReply> =>
  httpRequest(at(system.httpUrls) + path, { method: 'POST', headers, json });
const get = (path: string, headers: Record<string, string> = byKey()) =>
  httpRequest(at(system.httpUrls) + path, { headers });
const answer = ({ status, body }: HttpReply) => [status, (body as { code?: string }).code];

async function create<T>(path: string, json: object): Promise<T> {
  const { status, body } = await post(path, json);
  if (status !== 201) throw new Error(`${path} answered ${status} ${JSON.stringify(body)}`);
  return body as T;
}
async function login(username: string, password: string): Promise<Person> {
  const { bearer, user } = await create<{ bearer: string; user: { id: string } }>('/api/auth', { username, password });
  return { id: user.id, token: bearer };
}
async function person(username: string): Promise<Person> {
  await create('/api/users', { username, password: 'correct horse' });
  return login(username, 'correct horse');
}

/** Until the server has noticed who came and went. */
const connectionsAre = (count: number) =>
  eventually(
    async () => ((await get('/api/status')).body as { connections: number }).connections,
    (connections) => connections === count,
    5_000,
  );

/** A connection that counts what it hears on an event; `next` waits for one more. */
class Listener {
  readonly heard: unknown[] = [];
  readonly #wakers: (() => void)[] = [];

  static async open({ token }: Person, event: string): Promise<Listener> {
    const listener = new Listener(await openSocket(at(system.socketioUrls), token));
    listener.socket.on(event, (...args: unknown[]) => listener.#hear(args));
    sockets.push(listener.socket);
    return listener;
  }

  readonly socket: Socket;
  private constructor(socket: Socket) {
    this.socket = socket;
  }

  async until(count: number): Promise<unknown[]> {
    while (this.heard.length < count) {
      await within(new Promise<void>((resolve) => this.#wakers.push(resolve)), `message ${count}`);
    }
    return this.heard;
  }

  async join(room: string, userId: string): Promise<this> {
    await this.#acked('register', { userId }, 'register:ack');
    await this.#acked('room:join', { room }, 'room:join:ack');
    return this;
  }

  async #acked(event: string, data: object, ack: string): Promise<void> {
    const answered = new Promise<unknown>((resolve) => this.socket.once(ack, resolve));
    this.socket.emit(event, data);
    expect(await within(answered, ack)).toMatchObject({ success: true });
  }

  /** Behind the data there may be the offset from which Socket.IO's clients recover, a text. */
  #hear([data, ...more]: unknown[]): void {
    const plain = more.length === 0 || (more.length === 1 && typeof more[0] === 'string');
    this.heard.push(plain ? data : [data, ...more]);
    for (const wake of this.#wakers.splice(0)) wake();
  }
}

/** Sent after what a socket must not hear: when this has come, that did not. */
async function nothingMoreThan(listener: Listener, count: number, event: string): Promise<void> {
  await post('/api/broadcast', { event, data: 'the last' });
  await listener.until(count + 1);
  expect(listener.heard.slice(count)).toEqual(['the last']);
}

describe.each(systems)('over %s', (_name, start) => {
  beforeAll(async () => {
    system = await start();
    admin = await login('admin', system.adminPassword);
    [ann, bob] = [await person('ann'), await person('bob')];
    userKey = (await create<{ key: string }>('/api/api-keys', { name: 'reader' })).key;
    const strict = { name: 'strict', roles: ['admin'], requireSignature: true };
    signedKey = (await create<{ key: string }>('/api/api-keys', strict)).key;
  }, 60_000);
  afterAll(() => system?.stop());
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.disconnect();
    await connectionsAre(0);
  });

  describe('POST /api/push', () => {
    test('reaches every socket of the user and nobody else, and says whether one was there', async () => {
      const [first, second, other] = [
        await Listener.open(ann, 'greeting'),
        await Listener.open(ann, 'greeting'),
        await Listener.open(bob, 'greeting'),
      ];
      const data = { text: 'hello', deep: [{ $set: null }] };
      const { status, body } = await post('/api/push', { userId: ann.id, event: 'greeting', data });
      expect([status, body]).toEqual([200, { success: true, delivered: true, timestamp: isoDate }]);
      expect(await first.until(1)).toEqual([data]);
      expect(await second.until(1)).toEqual([data]);
      await nothingMoreThan(other, 0, 'greeting');
    });

    test('is not delivered where no socket of the user is there', async () => {
      for (const userId of [bob.id, 'nobody-has-this-id', 4_711]) {
        const { status, body } = await post('/api/push', { userId, event: 'greeting', data: {} });
        expect([status, body]).toEqual([200, { success: true, delivered: false, timestamp: isoDate }]);
      }
    });
  });

  describe('POST /api/broadcast', () => {
    test('reaches everyone and counts them', async () => {
      const listeners = [await Listener.open(ann, 'news'), await Listener.open(bob, 'news')];
      const { status, body } = await post('/api/broadcast', { event: 'news', data: { n: 1 } });
      expect([status, body]).toEqual([200, { success: true, recipients: 2, timestamp: isoDate }]);
      for (const listener of listeners) expect(await listener.until(1)).toEqual([{ n: 1 }]);
    });
  });

  describe('POST /api/room', () => {
    test('reaches who joined the room, each once, and counts them', async () => {
      const inside = await (await Listener.open(ann, 'menu')).join('kitchen', ann.id);
      const outside = await (await Listener.open(bob, 'menu')).join('hall', bob.id);
      const { status, body } = await post('/api/room', { room: 'kitchen', event: 'menu', data: { soup: true } });
      expect([status, body]).toEqual([200, { success: true, recipients: 1, timestamp: isoDate }]);
      expect(await inside.until(1)).toEqual([{ soup: true }]);
      await nothingMoreThan(outside, 0, 'menu');
    });

    test('reaches nobody in a room nobody joined, nor by the name of somebody’s own audience', async () => {
      await Listener.open(ann, 'menu');
      for (const room of ['cellar', `user:${ann.id}`, 'role:user', 'user']) {
        expect((await post('/api/room', { room, event: 'menu', data: {} })).body).toMatchObject({ recipients: 0 });
      }
    });
  });

  describe('GET /api/status', () => {
    test('tells of connections, rooms, uptime and memory', async () => {
      await (await Listener.open(ann, 'any')).join('kitchen', ann.id);
      await Listener.open(bob, 'any');
      const { status, body } = await get('/api/status');
      expect(status).toBe(200);
      const bytes = expect.any(Number);
      expect(body).toEqual({
        success: true,
        status: 'ok',
        connections: 2,
        rooms: 1,
        uptime: expect.any(Number),
        memory: { rss: bytes, heapTotal: bytes, heapUsed: bytes, external: bytes },
        timestamp: isoDate,
      });
      expect((body as { memory: { rss: number } }).memory.rss).toBeGreaterThan(10_000_000);
    });
  });

  describe('who may push', () => {
    const bodies: [string, object][] = [
      ['/api/push', { userId: 'x', event: 'e', data: {} }],
      ['/api/broadcast', { event: 'e', data: {} }],
      ['/api/room', { room: 'r', event: 'e', data: {} }],
    ];

    test.each([...bodies, ['/db-change', { payload: {} }] as [string, object]])(
      '%s: an administrator’s key only',
      async (path, json) => {
        expect((await post(path, json)).status).toBe(200);
        expect(answer(await post(path, json, {}))).toEqual([401, 'UNAUTHORIZED']);
        expect(answer(await post(path, json, { 'x-api-key': userKey }))).toEqual([403, 'FORBIDDEN']);
        expect(answer(await post(path, json, { 'x-api-key': 'tg_wrong' }))).toEqual([401, 'INVALID_API_KEY']);
        expect((await post(path, json, { authorization: `Bearer ${ann.token}` })).status).toBeGreaterThanOrEqual(401);
      },
    );

    test.each(bodies)('%s: no bearer, the bridge: an administrator’s', async (path, json) => {
      const headers = { authorization: `Bearer ${admin.token}` };
      expect(answer(await post(path, json, headers))).toEqual([401, 'UNAUTHORIZED']);
      expect((await post('/db-change', { payload: json }, headers)).status).toBe(200);
      expect(answer(await post('/db-change', { payload: 1 }, { authorization: `Bearer ${ann.token}` }))).toEqual([
        403,
        'FORBIDDEN',
      ]);
    });

    test('the status needs a key, of any role', async () => {
      expect((await get('/api/status', { 'x-api-key': userKey })).status).toBe(200);
      expect(answer(await get('/api/status', {}))).toEqual([401, 'UNAUTHORIZED']);
      const { body } = await get('/api/status', { 'x-api-key': 'wrong', 'x-request-id': 'my-request' });
      expect(body).toEqual({
        success: false,
        error: 'Invalid API key',
        code: 'INVALID_API_KEY',
        requestId: 'my-request',
      });
    });
  });

  describe('what cannot be pushed', () => {
    test.each([
      ['/api/push', { event: 'e', data: {} }],
      ['/api/push', { userId: 'u', data: {} }],
      ['/api/push', { userId: 'u', event: 'e' }],
      ['/api/push', { userId: 'u', event: 'e', data: {}, more: 1 }],
      ['/api/push', { userId: {}, event: 'e', data: {} }],
      ['/api/push', { userId: 'u', event: 'disconnect', data: {} }],
      ['/api/broadcast', { event: '', data: {} }],
      ['/api/broadcast', { event: 'error', data: {} }],
      ['/api/broadcast', { event: 'x'.repeat(257), data: {} }],
      ['/api/broadcast', { event: 'e', data: JSON.parse('{"__proto__":{"admin":true}}') }],
      ['/api/room', { room: '', event: 'e', data: {} }],
      ['/api/room', { room: 'x'.repeat(129), event: 'e', data: {} }],
      ['/connect', { payload: {} }],
      ['/newListener', { payload: {} }],
      [`/${'x'.repeat(257)}`, { payload: {} }],
      ['/db-change', {}],
      ['/db-change', { payload: {}, rooms: 'kitchen' }],
      ['/db-change', { payload: {}, rooms: [] }],
      ['/db-change', { payload: { own: null } }],
      ['/db-change', { payload: {}, room: ['kitchen'] }],
      ['/db-change', [1]],
    ])('%s %j is an invalid request', async (path, json) => {
      expect(answer(await post(path, json))).toEqual([400, 'INVALID_REQUEST']);
    });

    test('other methods are not allowed', async () => {
      expect(answer(await get('/api/push'))).toEqual([405, 'METHOD_NOT_ALLOWED']);
      expect(answer(await post('/api/status', {}))).toEqual([405, 'METHOD_NOT_ALLOWED']);
    });

    test('no protocol but HTTP has the commands', async () => {
      const socket = await openSocket(at(system.socketioUrls), admin.token);
      sockets.push(socket);
      const request = { module: 'push', command: 'broadcast', requestId: 'r', payload: { event: 'e', data: {} } };
      expect(await socket.timeout(5_000).emitWithAck('request', request)).toMatchObject({
        error: { code: 'NOT_FOUND' },
      });
    });
  });

  describe('the bridge', () => {
    const change = { entity: 'users', action: 'update', id: 123 };

    test('takes the request of its documentation: a role named in rooms hears the payload', async () => {
      const [boss, user] = [
        await Listener.open(admin, 'collection:update'),
        await Listener.open(ann, 'collection:update'),
      ];
      const { status, body } = await post('/collection:update', {
        payload: change,
        rooms: ['admin'],
        sender: { roles: ['system'] },
      });
      expect([status, body]).toEqual([200, { success: true, recipients: 1, timestamp: isoDate }]);
      expect(await boss.until(1)).toEqual([change]);
      await nothingMoreThan(user, 0, 'collection:update');
    });

    test('reaches rooms and holders of roles, each socket once', async () => {
      const boss = await (await Listener.open(admin, 'db-change')).join('kitchen', admin.id);
      const cook = await (await Listener.open(ann, 'db-change')).join('kitchen', ann.id);
      const guest = await Listener.open(bob, 'db-change');
      const { body } = await post('/db-change', { payload: change, rooms: ['kitchen', 'admin'] });
      expect(body).toMatchObject({ recipients: 2 });
      expect([await boss.until(1), await cook.until(1)]).toEqual([[change], [change]]);
      await nothingMoreThan(guest, 0, 'db-change');
      await nothingMoreThan(boss, 2, 'db-change');
    });

    test('reaches the user payload.own, whole', async () => {
      const [mine, other] = [await Listener.open(ann, 'db-change'), await Listener.open(bob, 'db-change')];
      const payload = { ...change, own: ann.id };
      expect((await post('/db-change', { payload })).body).toMatchObject({ recipients: 1 });
      expect(await mine.until(1)).toEqual([payload]);
      await nothingMoreThan(other, 0, 'db-change');
    });

    test('reaches everyone where nobody is named, on any event', async () => {
      for (const event of ['db-change', 'a b', 'é/ö', 'api-change', '50%']) {
        const listeners = [await Listener.open(ann, event), await Listener.open(bob, event)];
        const { body } = await post(`/${encodeURIComponent(event)}`, { payload: [event] });
        expect([event, body]).toEqual([event, { success: true, recipients: 2, timestamp: isoDate }]);
        for (const listener of listeners) {
          expect(await listener.until(1)).toEqual([[event]]);
          listener.socket.disconnect();
        }
        await connectionsAre(0);
      }
    });

    test('leaves pages, probes and modules alone', async () => {
      for (const path of ['/', '/health', '/metrics', '/api', '/socket.io', '/page.css', '/a/b']) {
        expect([path, ...answer(await post(path, { payload: 1 }))]).toEqual([path, 404, 'NOT_FOUND']);
      }
      expect((await fetch(`${system.httpUrls[0]}/health`)).status).toBe(200);
      expect((await fetch(`${system.httpUrls[0]}/db-change`)).status).toBe(404);
    });
  });

  describe('a signed request', () => {
    const status = '/api/status';
    const unsigned = ['x-signature', 'x-request-nonce', 'x-request-timestamp', 'x-signature-version'] as const;

    test('is let in with either version, with a key that needs a signature or not', async () => {
      for (const key of [system.apiKey, signedKey]) {
        for (const version of ['v1', 'v2'] as const) {
          expect((await get(status, signed(key, { path: status, version }))).status).toBe(200);
          const text = JSON.stringify({ event: 'é', data: {} });
          const headers = signed(key, { method: 'POST', path: '/api/broadcast', version, body: text });
          const sent = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: text };
          expect((await httpRequest(`${at(system.httpUrls)}/api/broadcast`, sent)).status).toBe(200);
        }
      }
    });

    test('is needed where the key was made so, on every route', async () => {
      const strict = { 'x-api-key': signedKey };
      expect(answer(await get(status, strict))).toEqual([401, 'INVALID_SIGNATURE']);
      expect(answer(await get('/api/cameras', strict))).toEqual([401, 'INVALID_SIGNATURE']);
      expect(answer(await post('/db-change', { payload: 1 }, strict))).toEqual([401, 'INVALID_SIGNATURE']);
      expect(answer(await post('/api/mqtt/acl', {}, strict))).toEqual([401, 'INVALID_SIGNATURE']);
      expect((await get('/api/cameras', signed(signedKey, { path: '/api/cameras' }))).status).toBe(200);
    });

    test('signs the path without the query', async () => {
      const headers = signed(signedKey, { path: '/api/cameras' });
      expect((await get('/api/cameras?search=door', headers)).status).toBe(200);
    });

    test('is checked wherever there is a signature', async () => {
      const wrong = { ...signed(system.apiKey, { path: status }), 'x-signature': '0'.repeat(64) };
      for (const path of [status, '/api/cameras', '/api/version']) {
        expect([path, ...answer(await get(path, wrong))]).toEqual([path, 401, 'INVALID_SIGNATURE']);
      }
      const withBearer = { ...wrong, authorization: `Bearer ${admin.token}` };
      expect(answer(await get('/api/cameras', withBearer))).toEqual([401, 'INVALID_SIGNATURE']);
      const { 'x-api-key': _key, ...keyless } = signed(system.apiKey, { path: status });
      expect(answer(await get(status, keyless))).toEqual([401, 'INVALID_SIGNATURE']);
    });

    test('is refused for another method, path, key or body, and where a part is missing', async () => {
      const refused = [
        get(status, signed(system.apiKey, { path: '/api/statu' })),
        get(status, signed(system.apiKey, { path: status, method: 'POST' })),
        get(status, { ...signed(userKey, { path: status }), 'x-api-key': system.apiKey }),
        post(
          '/db-change',
          { payload: 1 },
          signed(system.apiKey, { method: 'POST', path: '/db-change', version: 'v2' }),
        ),
        ...unsigned.slice(1).map((name) => {
          const { [name]: _left, ...rest } = signed(system.apiKey, { path: status });
          return get(status, rest as Record<string, string>);
        }),
      ];
      for (const reply of await Promise.all(refused)) expect(answer(reply)).toEqual([401, 'INVALID_SIGNATURE']);
    });

    test('is refused with a wrong key as that', async () => {
      expect(answer(await get(status, signed('tg_wrong', { path: status })))).toEqual([401, 'INVALID_API_KEY']);
    });

    test.each([-301_000, 301_000])('made %i ms from now is refused', async (off) => {
      const headers = signed(system.apiKey, { path: status, timestamp: Date.now() + off });
      expect(answer(await get(status, headers))).toEqual([401, 'INVALID_SIGNATURE']);
    });

    test('is let in once, also where many come at the same time', async () => {
      const headers = signed(system.apiKey, { path: status });
      const replies = await Promise.all(Array.from({ length: 20 }, () => get(status, headers)));
      const outcomes = replies.map(answer);
      expect(outcomes.filter(([code]) => code === 200)).toHaveLength(1);
      expect(outcomes.filter(([, code]) => code === 'REPLAYED_REQUEST')).toHaveLength(19);
    });

    test('that was refused has not used its nonce up; another key may use the same', async () => {
      const nonce = 'shared-nonce';
      const wrong = { ...signed(system.apiKey, { path: status, nonce }), 'x-signature': 'f'.repeat(64) };
      expect(answer(await get(status, wrong))).toEqual([401, 'INVALID_SIGNATURE']);
      expect((await get(status, signed(system.apiKey, { path: status, nonce }))).status).toBe(200);
      expect((await get(status, signed(userKey, { path: status, nonce }))).status).toBe(200);
      expect(answer(await get(status, signed(userKey, { path: status, nonce })))).toEqual([401, 'REPLAYED_REQUEST']);
    });
  });
});
