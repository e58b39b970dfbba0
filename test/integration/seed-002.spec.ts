import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { io, type Socket } from 'socket.io-client';
import { EventDataClientInstance, SocketDriver } from '../../clients/sdk/index.ts';
import { type Balancer, startBalancer } from '../servers/balancer.ts';
import { freePort } from '../servers/ports.ts';
import type { Running } from '../servers/process.ts';
import { eventually, within } from '../system/clients/wait.ts';
import { startOneProcess } from '../system/one-process.ts';
import { startProduct } from '../system/process.ts';
import { type SdkProject, sdkProject, session } from '../system/sdk.project.ts';
import type { System } from '../system/system.ts';
import { Cast, type Heard } from './seeds/cast.ts';
import { systems } from './seeds/systems.ts';

let project: SdkProject;
let seed: string;
beforeAll(async () => {
  seed = await readFile(new URL('../seeds/002.md', import.meta.url), 'utf8');
  project = await sdkProject();
}, 180_000);
afterAll(() => project?.remove());

const payload = { entity: 'users', action: 'update', id: 123 };
const timestamp = expect.any(String);

describe.each(systems)('seed 002 over %s', (name, start) => {
  let system: System;
  let cast: Cast;
  let running: Running[] = [];
  let ports: number;
  beforeAll(async () => {
    system = await start();
    cast = await Cast.of(system);
    ports = await freePort();
    const [http] = system.httpUrls as [string];
    const [socketio] = system.socketioUrls as [string];
    const env = { TRIGATE_URL: http, TRIGATE_SOCKETIO_URL: socketio, TRIGATE_TOKEN: system.apiKey };
    await project.write('server.ts', code('server', ports, ''));
    server = await project.start('server.ts', /^idae-socket running on port/, env);
  }, 60_000);
  let server: Running | undefined;
  afterEach(async () => {
    await Promise.all(running.map((one) => one.stop()));
    running = [];
  });
  afterAll(async () => {
    await server?.stop();
    await system?.stop();
  }, 30_000);

  /** A snippet of the seed, unchanged but for port and token. */
  const code = (snippet: string, port: number, token: string): string =>
    session(seed, snippet).replaceAll('4000', `${port}`).replace('your-token-here', token);

  /** The seed's client as a program of its own, connected to whoever listens at the port. */
  async function client(port: number, token: string): Promise<Running> {
    const file = `client-${port}-${running.length}.ts`;
    await project.write(file, code('client', port, token));
    const one = await project.start(file, /^Connected: \S{20}$/);
    running.push(one);
    return one;
  }
  const portOf = (url: string): number => Number(new URL(url).port);

  const post = (at: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${at}/collection:update`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const key = () => ({ 'x-api-key': system.apiKey });

  test('the snippets: a POST to the driver reaches the clients at every gateway, in the role that rooms names', async () => {
    const { admin, user } = cast.people;
    const clients = await Promise.all(
      [ports, ...system.socketioUrls.map(portOf)].map((port) => client(port, admin.token)),
    );
    const other = await client(ports, user.token);
    const heard = Promise.all(clients.map((one) => one.line(/^Received update:/)));
    const response = await post(`http://localhost:${ports}`, session(seed, 'body'));
    expect([response.status, await response.json()]).toEqual([
      200,
      { success: true, recipients: clients.length, timestamp },
    ]);
    const line = "Received update: { entity: 'users', action: 'update', id: 123 }";
    expect(await within(heard, 'the update')).toEqual(clients.map(() => line));
    expect(other.output()).not.toContain('Received update');
  });

  test('a POST to any HTTP gateway reaches rooms, one user, or everybody, at whichever gateway they are', async () => {
    const { user, stranger } = cast.people;
    const room = cast.room();
    const sockets: { client: EventDataClientInstance; owner: string; heard: Heard[] }[] = [];
    for (const [at, person] of [user, stranger, user, stranger].entries()) {
      const url = system.socketioUrls[at % system.socketioUrls.length] as string;
      const one = new EventDataClientInstance();
      one.config = { host: url, authentication: { authMode: 'Bearer', auth: person.token } };
      const connected = new Promise((resolve) => {
        one.onConnect = resolve;
      });
      one.connect();
      const heard: Heard[] = [];
      one.socket.on('collection:update', (data) => heard.push(data));
      await within(connected, 'a connection');
      sockets.push({ client: one, owner: person.id, heard });
    }
    await sockets[0]?.client.socket.emitWithAck('join_room', { room });
    await sockets[3]?.client.socket.emitWithAck('join_room', { room });
    for (const url of system.httpUrls) {
      const cases: [body: object, heard: number[]][] = [
        [{ payload, rooms: [room] }, [0, 3]],
        [{ payload: { ...payload, own: stranger.id } }, [1, 3]],
        [{ payload, rooms: [room], sender: { roles: ['system'] } }, [0, 3]],
        [{ payload }, [0, 1, 2, 3]],
      ];
      for (const [body, expected] of cases) {
        const before = sockets.map(({ heard }) => heard.length);
        const answer = (await (await post(url, body, key())).json()) as { recipients: number };
        expect(answer).toEqual({ success: true, recipients: expected.length, timestamp });
        await eventually(
          async () => sockets.flatMap(({ heard }, index) => (heard.length > (before[index] as number) ? [index] : [])),
          (reached) => reached.length >= expected.length,
          5_000,
        );
        const reached = sockets.flatMap(({ heard }, index) =>
          heard.length > (before[index] as number) ? [index] : [],
        );
        expect(reached).toEqual(expected);
        expect(sockets[expected[0] as number]?.heard.at(-1)).toEqual((body as { payload: object }).payload);
      }
    }
    for (const one of sockets) one.client.disconnect();
  });

  if (name !== 'one process') {
    describe('reconnecting', () => {
      let balancer: Balancer;
      const drivers: SocketDriver[] = [];
      beforeAll(async () => {
        balancer = await startBalancer(system.socketioUrls);
      });
      afterEach(() => {
        for (const driver of drivers.splice(0)) driver.close();
      });
      afterAll(() => balancer?.close());

      test.each([
        ['is killed', 'SIGKILL'],
        ['is told to end', 'SIGTERM'],
      ] as const)(
        'a client whose gateway %s is at another one soon, and hears again',
        async (_how, signal) => {
          const { user } = cast.people;
          const states = system.socketioUrls.map((): { states: string[]; heard: number[] } => ({
            states: [],
            heard: [],
          }));
          for (const { states: own, heard } of states) {
            const driver = new SocketDriver({ url: balancer.url, token: user.token, reconnect: { minDelayMs: 50 } });
            driver.onStatus(({ state }) => own.push(state));
            driver.socket.on('collection:update', ({ n }) => heard.push(n));
            driver.connect();
            drivers.push(driver);
          }
          const connected = () => drivers.every(({ status }) => ['connected', 'recovered'].includes(status.state));
          await eventually(async () => connected(), Boolean, 10_000);
          const began = performance.now();
          const victim = system.processes['socketio-2'];
          await victim?.kill(signal);
          const again = () => states.some(({ states: own }) => own.includes('reconnecting'));
          await eventually(async () => again() && connected(), Boolean, 20_000);
          const seconds = (performance.now() - began) / 1_000;
          await post(system.httpUrls[0] as string, { payload: { n: 1, own: user.id } }, key());
          await eventually(
            async () => states.map(({ heard }) => heard),
            (all) => all.every((heard) => heard.includes(1)),
            5_000,
          );
          expect(states.map(({ heard }) => heard)).toEqual(states.map(() => [1]));
          console.info(`gateway ${signal}: its clients were at another one after ${seconds.toFixed(2)} s`);
          expect(seconds).toBeLessThan(15);
          await victim?.restart();
        },
        60_000,
      );
    });
  }
});

/** What the backend of an introspection answers, by token. */
const verdicts: Record<string, (respond: (status: number, body?: unknown, headers?: object) => void) => void> = {
  boss: (respond) => respond(200, { active: true, userId: 'boss', roles: ['admin'] }),
  ann: (respond) => respond(200, { active: true, sub: 'ann', username: 'Ann' }),
  gone: (respond) => respond(200, { active: false, sub: 'ann' }),
  broken: (respond) => respond(500, { active: true, sub: 'ann' }),
  garbage: (respond) => respond(200, '<html>'),
  moved: (respond) => respond(302, undefined, { location: '/elsewhere' }),
  slow: () => {},
};

const strategies: [name: string, start: (system: System | undefined, env: Env) => Promise<Started>][] = [
  [
    'one process',
    async (_system, env) => {
      const one = await startOneProcess(env);
      return { url: one.socketioUrls[0] as string, output: () => one.processes.all?.running.output() ?? '', ...one };
    },
  ],
  ['a gateway of several', async (system, env) => gatewayBeside(system as System, env)],
];
type Env = Record<string, string>;
interface Started {
  url: string;
  output(): string;
  stop(): Promise<void>;
}

/** One more Socket.IO gateway of a system, with variables of its own. */
async function gatewayBeside(system: System, env: Env): Promise<Started> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const all = { ...system.env, ...env, SOCKETIO_PORT: `${port}` };
  const args = ['gateways/main.ts', 'socketio'];
  const product = await startProduct({ name: 'socketio', args, env: all, operatorUrl: url });
  return { url, output: () => product.running.output(), stop: () => product.stop() };
}

describe.each(strategies)('authentication of seed 002 at %s', (name, start) => {
  let system: System | undefined;
  let backend: Server;
  let backendUrl: string;
  let asked: string[] = [];
  const sockets: Socket[] = [];
  const started: Started[] = [];

  beforeAll(async () => {
    if (name !== 'one process') system = await systems[1]?.[1]();
    backend = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { token } = JSON.parse(body || '{}') as { token?: string };
      asked.push(`${request.method} ${request.url} ${token}`);
      // Whoever follows the redirect would be let in.
      const verdict = request.url === '/elsewhere' ? verdicts.ann : verdicts[token ?? ''];
      const respond = (status: number, answer?: unknown, headers: object = {}) =>
        void response
          .writeHead(status, { ...headers })
          .end(typeof answer === 'string' ? answer : JSON.stringify(answer));
      if (verdict) verdict(respond);
      else respond(200, { active: false });
    });
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    backendUrl = `http://127.0.0.1:${(backend.address() as AddressInfo).port}/auth/verify`;
  }, 60_000);
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.close();
    await Promise.all(started.splice(0).map((one) => one.stop()));
  }, 30_000);
  afterAll(async () => {
    backend?.closeAllConnections();
    backend?.close();
    await system?.stop();
  }, 30_000);

  /** The variables of a block of the seed, unchanged but for the host. */
  const variables = (name: string): Env => {
    const lines = session(seed, name).replace('http://your-api.com/auth/verify', backendUrl).split('\n');
    return Object.fromEntries(lines.map((line) => line.split(/=(.*)/, 2)));
  };
  async function running(env: Env): Promise<Started> {
    const one = await start(system, env);
    started.push(one);
    return one;
  }

  /** Who one is by the answer to `register`, or the code of the refusal. */
  async function who(url: string, token: string | undefined, userId: string): Promise<string> {
    const auth = token === undefined ? {} : { token };
    const socket = io(url, { forceNew: true, reconnection: false, transports: ['websocket'], auth });
    sockets.push(socket);
    const outcome = new Promise<string>((resolve) => {
      socket.once('connect_error', (error) => resolve((error as Error & { data: { code: string } }).data.code));
      socket.once('connect', async () => {
        const { success } = await socket.emitWithAck('register', { userId });
        resolve(success ? userId : 'somebody else');
      });
    });
    return within(outcome, 'the end of the handshake', 5_000);
  }

  test('introspection asks the backend, shortly believes it, and lets nobody in it did not vouch for', async () => {
    const { url } = await running(variables('introspection'));
    asked = [];
    expect(await who(url, 'ann', 'ann')).toBe('ann');
    expect(await who(url, 'ann', 'ann')).toBe('ann');
    expect(asked).toEqual(['POST /auth/verify ann']);
    expect(await who(url, 'boss', 'boss')).toBe('boss');
    for (const token of ['gone', 'broken', 'garbage', 'moved', 'unknown']) {
      expect([token, await who(url, token, 'ann')]).toEqual([token, 'UNAUTHORIZED']);
    }
    expect(asked.filter((line) => line.includes('/elsewhere'))).toEqual([]);
    expect(await who(url, undefined, 'ann')).toBe('UNAUTHORIZED');
    const began = performance.now();
    expect(await who(url, 'slow', 'ann')).toBe('UNAUTHORIZED');
    expect(performance.now() - began).toBeLessThan(3_000);
    await eventually(
      async () => {
        await who(url, 'ann', 'ann');
        return asked.filter((line) => line.endsWith(' ann')).length;
      },
      (count) => count >= 2,
      10_000,
    );
  }, 60_000);

  test('introspection gives the roles of the backend', async () => {
    const { url } = await running(variables('introspection'));
    expect([await who(url, 'boss', 'boss'), await who(url, 'ann', 'ann')]).toEqual(['boss', 'ann']);
    const [boss, ann] = sockets as [Socket, Socket];
    const heard = within(new Promise((resolve) => ann.once('admin_announcement', resolve)), 'the announcement');
    expect(await ann.emitWithAck('admin_broadcast', { message: 'no' })).toMatchObject({ code: 'FORBIDDEN' });
    boss.emit('admin_broadcast', { message: 'yes' });
    expect(await heard).toMatchObject({ message: 'yes', from: { id: 'boss' } });
  }, 60_000);

  test('jwt verifies the signature here, with the secret of the seed’s variable', async () => {
    const secret = 'your-super-secret-key';
    const { url } = await running({ ...variables('jwt'), JWT_SECRET: '' });
    const claims = { userId: 'user-123' };
    expect(await who(url, jwt.sign(claims, secret, { expiresIn: 60 }), 'user-123')).toBe('user-123');
    expect(await who(url, jwt.sign(claims, 'another-secret-of-somebody'), 'user-123')).toBe('UNAUTHORIZED');
    expect(await who(url, jwt.sign(claims, secret, { expiresIn: -1 }), 'user-123')).toBe('UNAUTHORIZED');
    expect(await who(url, 'nonsense', 'user-123')).toBe('UNAUTHORIZED');
  }, 60_000);

  test('none lets everybody in, and says so in the log', async () => {
    const one = await running({ IDAE_SOCKET_AUTH_STRATEGY: 'none' });
    expect(await who(one.url, undefined, 'development')).toBe('development');
    expect(one.output()).toContain('AUTH_STRATEGY=none lets everybody in');
  }, 60_000);
});
