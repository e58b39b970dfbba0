import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type SocketioServer, startSocketio } from '../../test/servers/socketio.ts';
import { SocketDriver, type SocketDriverOptions, whenConnected } from './socket.driver.ts';
import type { ConnectionState, ConnectionStatus } from './status.ts';

const quick = { minDelayMs: 10, maxDelayMs: 50 };
let server: SocketioServer;
let drivers: SocketDriver[];

const start = (options: Partial<SocketDriverOptions> = {}): SocketDriver => {
  const driver = new SocketDriver({ url: server.url, reconnect: quick, ...options });
  drivers.push(driver);
  return driver.connect();
};
const history = (driver: SocketDriver): ConnectionStatus[] => {
  const all = [driver.status];
  driver.onStatus((status) => all.push(status));
  return all;
};
/** Resolves when the driver is next told to be in the state. */
function state(driver: SocketDriver, wanted: ConnectionState): Promise<ConnectionStatus> {
  return new Promise((resolve) => {
    const off = driver.onStatus((status) => {
      if (status.state !== wanted) return;
      off();
      resolve(status);
    });
  });
}
const states = (all: ConnectionStatus[]) => all.map(({ state, attempt }) => [state, attempt]);

beforeEach(async () => {
  server = await startSocketio();
  drivers = [];
});
afterEach(async () => {
  for (const driver of drivers) driver.close();
  await server.close();
});

describe('a connection', () => {
  test('is made, told and closed', async () => {
    const driver = start();
    const all = history(driver);
    await whenConnected(driver, 5_000);
    driver.close();
    expect(states(all)).toEqual([
      ['connecting', 1],
      ['connected', 0],
      ['closed', 0],
    ]);
    expect(driver.status.error?.code).toBe('CLOSED');
    await expect(whenConnected(driver, 5_000)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('that the server ended is made again', async () => {
    const driver = start();
    await whenConnected(driver, 5_000);
    const all = history(driver);
    const again = state(driver, 'connected');
    server.io.disconnectSockets(true);
    await again;
    expect(states(all).slice(1)).toEqual([
      ['reconnecting', 1],
      ['connected', 0],
    ]);
    expect(all[1]?.error?.message).toContain('io server disconnect');
  });

  test('that broke comes back in the same session, with what was missed', async () => {
    const driver = start();
    await whenConnected(driver, 5_000);
    const [socket] = await server.io.fetchSockets();
    const heard: number[] = [];
    driver.socket.on('tick', (tick: number) => heard.push(tick));
    const first = new Promise((resolve) => driver.socket.once('tick', resolve));
    server.io.emit('tick', 1);
    await first;
    const recovered = state(driver, 'recovered');
    const second = new Promise((resolve) => driver.socket.once('tick', resolve));
    driver.socket.io.engine.close();
    server.io.emit('tick', 2);
    await recovered;
    await second;
    expect([driver.socket.id, heard]).toEqual([socket?.id, [1, 2]]);
  });

  test('is tried until there is a server, and each attempt is told', async () => {
    const { url } = server;
    await server.close();
    const driver = start({ url });
    const all = history(driver);
    await state(driver, 'reconnecting');
    await state(driver, 'reconnecting');
    server = await startSocketio(Number(new URL(url).port));
    await whenConnected(driver, 5_000);
    expect(states(all).slice(0, 3)).toEqual([
      ['connecting', 1],
      ['reconnecting', 2],
      ['reconnecting', 3],
    ]);
    expect(all[1]).toMatchObject({ error: { code: 'UNAVAILABLE' }, delayMs: expect.any(Number) });
  });

  test('is given up after the attempts that are allowed', async () => {
    const { url } = server;
    await server.close();
    const driver = start({ url, reconnect: { ...quick, attempts: 2 } });
    const all = history(driver);
    expect((await state(driver, 'closed')).error?.code).toBe('UNAVAILABLE');
    expect(states(all).slice(1)).toEqual([
      ['reconnecting', 2],
      ['closed', 2],
    ]);
    server = await startSocketio();
  });

  test('can be made anew after it was closed', async () => {
    const driver = start();
    driver.close();
    driver.connect();
    await whenConnected(driver, 5_000);
    expect(server.io.engine.clientsCount).toBe(1);
  });

  test('that is closed while it waits stays closed', async () => {
    const driver = start({ token: () => new Promise((resolve) => setImmediate(resolve, 'x')) });
    driver.close();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect([driver.status.state, driver.socket.active]).toEqual(['closed', false]);
  });
});

describe('a server that says nothing', () => {
  let silent: Server;
  afterEach(() => void silent.close());

  test('is waited for no longer than is said', async () => {
    silent = createServer((socket) => socket.on('error', () => {}));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const driver = start({ url: `http://127.0.0.1:${port}`, connectTimeoutMs: 100 });
    expect((await state(driver, 'reconnecting')).error?.code).toMatch(/UNAVAILABLE|TIMEOUT/);
    driver.close();
  });

  test('to a handshake neither, and then is asked again', async () => {
    silent = createServer();
    let first = true;
    server.io.use((_socket, next) => {
      if (!first) next();
      first = false;
    });
    const driver = start({ connectTimeoutMs: 200 });
    expect((await state(driver, 'reconnecting')).error).toMatchObject({ code: 'TIMEOUT' });
    await state(driver, 'connected');
  });
});

describe('a token', () => {
  const letIn = (good: (token: unknown) => boolean, code = 'UNAUTHORIZED', extra = {}) =>
    server.io.use(({ handshake }, next) => {
      const message = 'The token is not valid';
      next(
        good(handshake.auth.token)
          ? undefined
          : Object.assign(new Error(message), { data: { code, message, ...extra } }),
      );
    });

  test('that is refused ends it, with the code and sentence of the server', async () => {
    letIn(() => false);
    const driver = start({ token: 'old' });
    const { error, attempt } = await state(driver, 'closed');
    expect([error?.code, error?.message, attempt]).toEqual(['UNAUTHORIZED', 'The token is not valid', 1]);
  });

  test('is asked for before every connection, and is told when the last was refused', async () => {
    const asked: boolean[] = [];
    letIn((token) => token === 'good-1' || token === 'good-3');
    const driver = start({
      token: async ({ refused }) => {
        asked.push(refused);
        return asked.length === 2 ? 'stale' : `good-${asked.length}`;
      },
    });
    await whenConnected(driver, 5_000);
    const again = state(driver, 'connected');
    server.io.disconnectSockets(true);
    await again;
    expect(asked).toEqual([false, false, true]);
  });

  test('that is refused twice in a row ends it', async () => {
    letIn(() => false);
    let asked = 0;
    const driver = start({ token: () => `t${++asked}` });
    expect((await state(driver, 'closed')).error?.code).toBe('UNAUTHORIZED');
    expect(asked).toBe(2);
  });

  test('that cannot be had is asked for again', async () => {
    let asked = 0;
    const driver = start({
      token: () => {
        asked += 1;
        if (asked === 1) throw new Error('the issuer is away');
        return 'x';
      },
    });
    const all = history(driver);
    await whenConnected(driver, 5_000);
    expect(all[1]?.error).toMatchObject({ code: 'REFUSED', cause: { message: 'the issuer is away' } });
  });

  test('is tried again when the server asks to wait, no earlier', async () => {
    let tries = 0;
    letIn(() => ++tries > 1, 'RATE_LIMITED', { retryAfter: 0.3 });
    const driver = start({ token: 'x' });
    const { delayMs } = await state(driver, 'reconnecting');
    expect(delayMs).toBe(300);
    await state(driver, 'connected');
  });
});
