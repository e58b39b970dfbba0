import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ServiceBroker } from 'moleculer';
import { Registry } from 'prom-client';
import { Failure } from '../../shared/contracts/index.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { createBroker } from '../../shared/runtime/broker.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { anonymous } from '../../shared/runtime/principal.ts';
import type { KeyPrincipal } from '../core/dispatch.types.ts';
import { gatewayMetrics } from '../core/metrics.ts';
import { readJsonBody } from './body.ts';
import { startHttpGateway } from './http.gateway.ts';
import { writeFailure } from './reply.ts';

/** What `rest` of moleculer-web would run at a time, were it like other actions. */
const places = 256;
/** Requests, and wrong credentials, a minute. */
const limit = 5;
let broker: ServiceBroker;
let gateway: Awaited<ReturnType<typeof startHttpGateway>>;
let port: number;
let sockets: Socket[];
/** Keys that were looked up. */
let asked: string[];
let server: Server | undefined;

/** Stands in for the streams service, which alone knows the signatures of media servers. */
async function streams(name: string, { payload }: { payload: { query?: string; bearer?: string } }): Promise<unknown> {
  const isGood = name === 'streams.vouch' && (payload.query === 'signed' || payload.bearer === 'signed');
  if (!isGood) throw new Failure(payload.bearer === undefined ? 'FORBIDDEN' : 'UNAUTHORIZED');
  return undefined;
}

/** Stands in for the auth service. */
async function apiKey(key: string): Promise<KeyPrincipal> {
  asked.push(key);
  if (key === 'nobody knows') throw new Failure('UNAVAILABLE');
  if (!key.startsWith('good')) throw new Failure('INVALID_API_KEY');
  return { ...anonymous, kind: 'key', id: key, roles: ['admin', 'user'], requireSignature: false };
}

beforeEach(async () => {
  sockets = [];
  asked = [];
  broker = createBroker({ role: 'test', log: silentLog });
  gateway = await startHttpGateway({
    broker,
    contracts: [],
    openapi: {},
    config: {
      host: '127.0.0.1',
      httpPort: 0,
      corsOrigins: [],
      trustProxy: 0,
      authStrategy: 'jwt',
      rateLimitHttp: limit,
      mqttBaseTopic: 'nestmtx',
      mqttAnonymous: 'events',
    },
    authenticator: { nobody: () => anonymous, apiKey } as never,
    callAs: () => streams as never,
    bus: memoryBus(),
    fanout: { status: async () => ({ connections: 0, rooms: 0 }) } as never,
    log: silentLog,
    keyring: { jwks: () => ({ keys: [] }) } as never,
    metrics: gatewayMetrics(new Registry()),
    operator: async () => false,
  });
  await broker.start();
  port = (gateway.server.address() as AddressInfo).port;
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  server?.close();
  server = undefined;
  await gateway.stop();
  await broker.stop();
});

/** A request whose body stays away, but for its first byte. */
function beginning(path: string, headers: string[] = [], at = port): Socket {
  const socket = connect(at, '127.0.0.1');
  sockets.push(socket);
  const fixed = ['host: x', 'content-type: application/json', 'content-length: 5'];
  socket.write([`POST ${path} HTTP/1.1`, ...fixed, ...headers, '', '{'].join('\r\n'));
  return socket;
}

test('requests whose bodies never come keep no page and no hook from others', async () => {
  const arrived = new Promise<void>((resolve) => {
    let requests = 0;
    gateway.server.on('request', () => ++requests === places && resolve());
  });
  for (let n = 0; n < places; n++) beginning('/api/media/auth?signed');
  await arrived;
  const signal = AbortSignal.timeout(2_000);
  const page = await fetch(`http://127.0.0.1:${port}/`, { signal });
  const hook = await fetch(`http://127.0.0.1:${port}/api/media/auth?forged`, { method: 'POST', signal });
  expect([page.status, hook.status]).toEqual([200, 403]);
});

test.each([
  ['/api/media/auth?forged', [], 403],
  ['/api/media/whep/feed', ['authorization: Bearer forged'], 401],
  ['/api/mqtt/auth', [], 401],
])('%s is refused before its body is there', async (path, headers, status) => {
  const socket = beginning(path, headers);
  const [answer] = (await once(socket, 'data', { signal: AbortSignal.timeout(2_000) })) as [Buffer];
  expect(answer.toString()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
});

test('a body that does not come in time is answered with what is wrong, and its connection is closed', async () => {
  server = createServer((request, response) => {
    readJsonBody(request, { withinMs: 50 }).catch((error) => writeFailure(response, 'r', toFailure(error)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const answer = await text(beginning('/', [], (server.address() as AddressInfo).port));
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(answer).toContain('"The body did not arrive within 0.05 s","code":"INVALID_REQUEST"');
});

describe('guesses of keys', () => {
  const status = async (key: string, path = '/api/status') => {
    const method = path === '/api/status' ? 'GET' : 'POST';
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    return (await fetch(`http://127.0.0.1:${port}${path}`, { method, headers })).status;
  };
  const statuses = async (keys: string[], path?: string) => {
    const all: number[] = [];
    for (const key of keys) all.push(await status(key, path));
    return all;
  };
  const wrong = Array.from({ length: limit }, (_, n) => `wrong ${n}`);

  test.each([
    ['commands', '/api/status'],
    ['EMQX’s questions', '/api/mqtt/auth'],
  ])('are refused by %s without a look once there were too many, good ones among them', async (_what, path) => {
    expect(await statuses(wrong, path)).toEqual(wrong.map(() => 401));
    expect(await statuses(['wrong', 'good'], path)).toEqual([429, 429]);
    expect(asked).toEqual(wrong);
  });

  test('keep nobody out whose key was good before', async () => {
    expect(await status('good')).toBe(200);
    await statuses([...wrong, 'wrong']);
    expect(await statuses(['good', 'good too'])).toEqual([200, 429]);
  });

  test('are not those that nobody could look up', async () => {
    const unknown = Array.from({ length: limit + 1 }, () => 'nobody knows');
    expect(await statuses(unknown)).toEqual(unknown.map(() => 503));
    expect(await status('good')).toBe(200);
  });
});
