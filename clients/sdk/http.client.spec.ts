import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createHttpClient } from './http.client.ts';

let server: Server;
let url: string;
let seen: [string | undefined, string | undefined, string | undefined][];
let answer: (response: ServerResponse) => void;

beforeEach(async () => {
  seen = [];
  server = createServer(({ method, url: path, headers }: IncomingMessage, response) => {
    seen.push([`${method} ${path}`, headers.authorization, headers['x-api-key'] as string | undefined]);
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test('a call is made with the token of the moment, or with a key', async () => {
  answer = (response) => response.end('{"id":"1"}');
  let count = 0;
  const http = createHttpClient({ url, token: () => `t${++count}` });
  expect(await http.call('auth.read')).toEqual({ id: '1' });
  await http.call('cameras.read', { entity: '1' });
  await createHttpClient({ url, apiKey: 'tg_k' }).call('version.list');
  expect(seen).toEqual([
    ['GET /api/auth', 'Bearer t1', undefined],
    ['GET /api/cameras/1', 'Bearer t2', undefined],
    ['GET /api/version', undefined, 'tg_k'],
  ]);
});

test('a command that answers nothing resolves to nothing', async () => {
  answer = (response) => response.writeHead(204).end();
  expect(await createHttpClient({ url }).call('cameras.delete', { entity: '1' })).toBeUndefined();
});

test('a failure has code, sentence, details, seconds and the id of the request', async () => {
  const details = [{ message: 'm', path: ['payload'] }];
  answer = (response) => {
    response.writeHead(429, { 'x-request-id': 'r9' });
    response.end(JSON.stringify({ success: false, error: 'Slow', code: 'RATE_LIMITED', details, retryAfter: 2 }));
  };
  await expect(createHttpClient({ url }).call('auth.read')).rejects.toMatchObject({
    name: 'TrigateError',
    code: 'RATE_LIMITED',
    message: 'Slow',
    details,
    retryAfter: 2,
    requestId: 'r9',
  });
});

test('a page of something in between is no answer', async () => {
  answer = (response) => response.writeHead(502).end('<h1>Bad gateway</h1>');
  const call = createHttpClient({ url }).call('auth.read');
  await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'Not an answer of Trigate (HTTP 502)' });
  answer = (response) => response.writeHead(404).end('{}');
  await expect(createHttpClient({ url }).call('auth.read')).rejects.toMatchObject({ message: 'HTTP 404' });
});

test('no answer is told as such: in time, or ever', async () => {
  answer = () => {};
  const http = createHttpClient({ url, timeoutMs: 100 });
  await expect(http.call('auth.read')).rejects.toMatchObject({ code: 'TIMEOUT' });
  answer = (response) => response.destroy();
  await expect(createHttpClient({ url }).call('auth.read')).rejects.toMatchObject({ code: 'DISCONNECTED' });
});
