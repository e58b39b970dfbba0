import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ServiceBroker } from 'moleculer';
import { Registry } from 'prom-client';
import { Failure } from '../../shared/contracts/index.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { createBroker } from '../../shared/runtime/broker.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { anonymous } from '../../shared/runtime/principal.ts';
import { gatewayMetrics } from '../core/metrics.ts';
import { readJsonBody } from './body.ts';
import { startHttpGateway } from './http.gateway.ts';
import { writeFailure } from './reply.ts';

/** What `rest` of moleculer-web would run at a time, were it like other actions. */
const places = 256;
let broker: ServiceBroker;
let gateway: Awaited<ReturnType<typeof startHttpGateway>>;
let port: number;
let sockets: Socket[];
let server: Server | undefined;

/** Stands in for the streams service, which alone knows the signatures of media servers. */
async function streams(name: string, { payload }: { payload: { query?: string; bearer?: string } }): Promise<unknown> {
  const isGood = name === 'streams.vouch' && (payload.query === 'signed' || payload.bearer === 'signed');
  if (!isGood) throw new Failure(payload.bearer === undefined ? 'FORBIDDEN' : 'UNAUTHORIZED');
  return undefined;
}

beforeEach(async () => {
  sockets = [];
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
      rateLimitHttp: 100,
      mqttBaseTopic: 'nestmtx',
      mqttAnonymous: 'events',
    },
    authenticator: { nobody: () => anonymous } as never,
    callAs: () => streams as never,
    bus: memoryBus(),
    fanout: {} as never,
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
