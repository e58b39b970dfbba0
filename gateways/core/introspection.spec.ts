import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { introspection } from './introspection.ts';

let server: Server;
let url: string;
let seen: string[];
let answer: (response: ServerResponse) => void;
const json = (body: unknown) => (response: ServerResponse) => void response.end(JSON.stringify(body));

beforeEach(async () => {
  seen = [];
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push(`${request.method} ${body}`);
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/verify`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('introspection', () => {
  test('asks with POST {token}, and believes a good answer for a while', async () => {
    answer = json({ active: true, sub: 7, roles: ['admin'] });
    const { bearer: ask } = introspection(url);
    expect(await ask('t')).toMatchObject({ id: '7', roles: ['admin', 'user'] });
    await ask('t');
    expect(seen).toEqual(['POST {"token":"t"}']);
  });

  test('asks once for all who come with the same token at the same time', async () => {
    answer = json({ active: true, sub: 7 });
    const { bearer: ask } = introspection(url);
    await Promise.all([ask('t'), ask('t'), ask('t')]);
    expect(seen).toHaveLength(1);
  });

  test('does not believe a bad answer for longer than the question', async () => {
    const { bearer: ask } = introspection(url);
    answer = json({ active: false, sub: '7' });
    await expect(ask('t')).rejects.toMatchObject({ type: 'UNAUTHORIZED' });
    answer = json({ active: true, userId: '7' });
    expect(await ask('t')).toMatchObject({ id: '7' });
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['a user without a name', json({ active: true })],
    ['a token that has expired', json({ active: true, sub: '7', exp: 1 })],
    ['another status than 200', (response) => void response.writeHead(201).end('{"active":true,"sub":"7"}')],
    ['a redirect', (response) => void response.writeHead(302, { location: `${url}/other` }).end()],
    ['what is not JSON', (response) => void response.end('<html>')],
    ['a broken connection', (response) => void response.destroy()],
    [
      'more than it should say',
      (response) => void response.end(JSON.stringify({ active: true, sub: '7', x: 'x'.repeat(70_000) })),
    ],
  ])('refuses %s', async (_what, reply) => {
    answer = reply;
    await expect(introspection(url).bearer('t')).rejects.toMatchObject({ type: 'UNAUTHORIZED' });
    expect(seen).toHaveLength(1);
  });

  test('does not read an endless answer', async () => {
    let written = 0;
    answer = (response) => {
      const more = () => {
        while (!response.destroyed && written < 100_000_000) {
          written += 65_536;
          if (!response.write('x'.repeat(65_536))) return response.once('drain', more);
        }
        return response.end();
      };
      more();
    };
    await expect(introspection(url).bearer('t')).rejects.toMatchObject({ type: 'UNAUTHORIZED' });
    expect(written).toBeLessThan(20_000_000);
  });

  test('refuses after 2 s where no answer comes', async () => {
    answer = () => undefined;
    const started = performance.now();
    await expect(introspection(url).bearer('t')).rejects.toMatchObject({ type: 'UNAUTHORIZED' });
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});
