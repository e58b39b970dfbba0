import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type MediaApi, mediaApi } from './media.api.ts';

type Answering = (request: IncomingMessage, response: ServerResponse, turn: number) => void;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A client of a server that answers as told, and the connections and requests it saw. */
async function facing(answer: Answering, credentials = '') {
  const seen = { requests: [] as IncomingMessage[], connections: 0 };
  const server = createServer((request, response) => answer(request, response, seen.requests.push(request)));
  server.on('connection', () => {
    seen.connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const api: MediaApi = mediaApi(`http://${credentials}127.0.0.1:${port}/base/`);
  closing.push(
    () => api.close(),
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return { api, seen, server };
}
const json = (value: unknown, status = 200): Answering => {
  return (_request, response) => void response.writeHead(status).end(JSON.stringify(value));
};
const info = { version: 'v1.20.1\n', started: '2026-01-01T00:00:00Z' };
const path = { name: 'a', confName: 'a', available: true, availableTime: 't', source: null, readers: [], more: 1 };

describe('the client of the control API', () => {
  test('asks below the base and with the user of its URL', async () => {
    const { api, seen } = await facing(json(info), 'us%40er:pass@');
    expect(await api.info()).toEqual({ version: 'v1.20.1', started: '2026-01-01T00:00:00Z' });
    expect(seen.requests[0]).toMatchObject({ method: 'GET', url: '/base/v3/info' });
    expect(seen.requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from('us@er:pass').toString('base64')}`);
  });

  test('reads every page of a list', async () => {
    const { api, seen } = await facing((request, response) => {
      const page = Number(new URL(request.url ?? '', 'http://x').searchParams.get('page'));
      response.end(JSON.stringify({ itemCount: 3, pageCount: 3, items: [{ name: `path-${page}` }] }));
    });
    expect((await api.configPaths()).map(({ name }) => name)).toEqual(['path-0', 'path-1', 'path-2']);
    expect(seen.requests).toHaveLength(3);
    expect(api.calls.get('config/paths/list')).toBe(3);
  });

  test('a list without end is given up', async () => {
    const { api } = await facing(json({ itemCount: 1, pageCount: 1_000_000, items: [] }));
    await expect(api.configPaths()).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('a path has what older servers call by other names', async () => {
    const older = { name: 'a', ready: true, readyTime: 't', tracks: ['H264'], bytesReceived: 5, bytesSent: 6 };
    const { api } = await facing(json(older));
    expect(await api.path('a')).toEqual({
      name: 'a',
      available: true,
      since: 't',
      source: null,
      tracks: [{ codec: 'H264', props: {} }],
      readers: [],
      inboundBytes: 5,
      outboundBytes: 6,
    });
  });

  test('what is not there is null, false or empty', async () => {
    const { api } = await facing(json({ status: 'error', error: 'path not found' }, 404));
    expect(await api.path('a')).toBeNull();
    expect(await api.configPath('a')).toBeNull();
    expect(await api.deletePath('a')).toBe(false);
    expect(await api.kick('hlssessions', 'x')).toBe(false);
    expect(await api.sessions('srtconns')).toEqual([]);
    await expect(api.replacePath('a', { source: 'publisher' })).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('a refusal tells what the server said, but not in its message', async () => {
    const { api } = await facing(json({ status: 'error', error: `'rtsp://u:secret@x' is not a valid URL` }, 400));
    const refused = api.addPath('a', { source: 'rtsp://u:secret@x' });
    await expect(refused).rejects.toMatchObject({
      kind: 'refused',
      status: 400,
      said: expect.stringContaining('valid'),
    });
    await expect(refused).rejects.toThrow(expect.objectContaining({ message: expect.not.stringContaining('secret') }));
  });

  test.each([
    ['no JSON', 'nonsense'],
    ['something else', '{"version":1}'],
  ])('an answer that is %s is invalid', async (_what, text) => {
    const { api } = await facing((_request, response) => void response.end(text));
    await expect(api.info()).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('a server that does not answer in time or is not there is unreachable', async () => {
    const { api, server } = await facing(() => {});
    const begun = performance.now();
    await expect(api.info(200)).rejects.toMatchObject({ kind: 'unreachable' });
    expect(performance.now() - begun).toBeLessThan(1_500);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(api.info()).rejects.toMatchObject({ kind: 'unreachable' });
  });

  test('an answer that stops halfway is unreachable', async () => {
    const { api } = await facing((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"version"');
    });
    await expect(api.info(200)).rejects.toMatchObject({ kind: 'unreachable' });
  });

  test('many calls share few connections, and a name keeps its slashes', async () => {
    const { api, seen } = await facing(json(path));
    await Promise.all(Array.from({ length: 50 }, () => api.path('trigate/c 1/2-3')));
    expect(seen.connections).toBeLessThanOrEqual(4);
    expect(seen.requests[0]?.url).toBe('/base/v3/paths/get/trigate/c%201/2-3');
  });

  test('a connection the server closed while it lay idle costs no call', async () => {
    const { api, server } = await facing(json(info));
    for (let turn = 0; turn < 20; turn += 1) {
      await api.info();
      server.closeIdleConnections();
    }
    expect(api.calls.get('info')).toBe(20);
  });
});
