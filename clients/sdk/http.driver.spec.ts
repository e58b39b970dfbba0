import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type SocketioServer, startSocketio } from '../../test/servers/socketio.ts';
import { HttpDriver as BrowserHttpDriver } from './http.driver.browser.ts';
import { HttpDriver } from './http.driver.ts';
import { SocketDriver, whenConnected } from './socket.driver.ts';

interface Seen {
  line: string;
  headers: IncomingHttpHeaders;
  body: string;
}

let behind: Server;
let seen: Seen[];
let driver: HttpDriver;
let url: string;

/** Answers what it was sent. */
async function startBehind(): Promise<string> {
  behind = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
    response.writeHead(201, { 'x-request-id': 'r1', 'content-type': 'text/plain' });
    response.end(`got ${body}`);
  });
  await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(behind.address() as AddressInfo).port}`;
}

async function startDriver(options: ConstructorParameters<typeof HttpDriver>[0]): Promise<void> {
  driver = new HttpDriver(options);
  const { host, port } = await driver.listen(0);
  expect(host).toBe('127.0.0.1');
  url = `http://${host}:${port}`;
}

beforeEach(async () => {
  seen = [];
  await startDriver({ url: await startBehind(), token: 'tg_key' });
});
afterEach(async () => {
  await driver.close();
  behind.closeAllConnections();
  behind.close();
});

describe('a request', () => {
  test('comes through, and its answer back', async () => {
    const response = await fetch(`${url}/db-change?x=1`, { method: 'POST', body: '{"payload":1}' });
    expect([response.status, await response.text()]).toEqual([201, 'got {"payload":1}']);
    expect(response.headers.get('x-request-id')).toBe('r1');
    expect(seen).toMatchObject([{ line: 'POST /db-change?x=1', body: '{"payload":1}' }]);
    expect(seen[0]?.headers).toMatchObject({ host: `127.0.0.1:${(behind.address() as AddressInfo).port}` });
  });

  test('acts with the credential of the driver only where it is an event without one', async () => {
    await fetch(`${url}/db-change`, { method: 'POST' });
    await fetch(`${url}/db-change`, { method: 'POST', headers: { 'x-api-key': 'own' } });
    await fetch(`${url}/api/users`, { method: 'POST' });
    expect(seen.map(({ headers }) => headers['x-api-key'])).toEqual(['tg_key', 'own', undefined]);
  });

  test('with a body in chunks ends where it ends, whatever its method', async () => {
    const sent = httpRequest(`${url}/api/rooms/r`, { method: 'DELETE', headers: { 'transfer-encoding': 'chunked' } });
    sent.write('GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n');
    sent.end();
    const [response] = await once(sent, 'response');
    response.resume();
    await once(response, 'end');
    expect(seen.map(({ line }) => line)).toEqual(['DELETE /api/rooms/r']);
  });

  test('for another server is refused', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('GET http://elsewhere.example/ HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n');
    const [first] = await once(socket, 'data');
    expect(String(first)).toMatch(/^HTTP\/1.1 400 /);
    socket.destroy();
  });

  test('finds 503 where Trigate is not there', async () => {
    behind.closeAllConnections();
    await new Promise((resolve) => behind.close(resolve));
    const response = await fetch(`${url}/db-change`, { method: 'POST' });
    const error = expect.stringContaining('TRIGATE_URL');
    expect([response.status, await response.json()]).toEqual([503, { success: false, code: 'UNAVAILABLE', error }]);
  });
});

describe('a WebSocket', () => {
  let io: SocketioServer;
  beforeEach(async () => {
    await driver.close();
    io = await startSocketio();
    await startDriver({ url: 'http://127.0.0.1:1', socketioUrl: io.url, token: 'tg_key' });
  });
  afterEach(() => io.close());

  test('comes through in both directions, and ends with the driver', async () => {
    io.io.on('connection', (socket) => socket.on('echo', (text, ack) => ack(`${text}!`)));
    const client = new SocketDriver({ url, socket: { transports: ['websocket'] } }).connect();
    await whenConnected(client, 5_000);
    expect(await client.socket.timeout(5_000).emitWithAck('echo', 'x'.repeat(200_000))).toHaveLength(200_001);
    const lost = once(client.socket as never, 'disconnect');
    await driver.close();
    await lost;
    client.close();
  });

  test('that is refused is told so', async () => {
    io.io.engine.opts.allowRequest = (_request, answer) => answer('not here', false);
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const [first] = await once(socket, 'data');
    expect(String(first)).toMatch(/^HTTP\/1.1 400 .*\r\n\r\nnot here$/s);
    await once(socket, 'close');
  });

  test('finds 503 where Trigate is not there', async () => {
    const client = new SocketDriver({ url, socket: { path: '/elsewhere', transports: ['websocket'] } }).connect();
    const lost = new Promise<string | undefined>((resolve) => client.onStatus(({ error }) => resolve(error?.code)));
    expect(await lost).toBe('UNAVAILABLE');
    client.close();
  });
});

test('a port that is taken rejects', async () => {
  const second = new HttpDriver({ url: 'http://127.0.0.1:1', token: 'tg_key' });
  await expect(second.listen(Number(new URL(url).port))).rejects.toThrow('EADDRINUSE');
});

test('a driver that nobody told where Trigate is, or who it acts as, says so in one line', () => {
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
  try {
    new HttpDriver();
    new HttpDriver({ url: 'http://127.0.0.1:1' });
    new HttpDriver({ url: 'http://127.0.0.1:1', token: 'tg_key' });
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/^HttpDriver: TRIGATE_URL is not set.*127\.0\.0\.1:3000; TRIGATE_TOKEN is not set.*$/)],
      [expect.stringMatching(/^HttpDriver: TRIGATE_TOKEN is not set.*$/)],
    ]);
  } finally {
    warn.mockRestore();
  }
});

test('an address that is none is refused', () => {
  expect(() => new HttpDriver({ url: 'ftp://127.0.0.1' })).toThrow('ftp://127.0.0.1 is no http(s) URL');
});

test('in a browser there is a sentence in place of a server', () => {
  expect(() => new BrowserHttpDriver()).toThrow('HttpDriver is a server and runs in Node.js');
});
