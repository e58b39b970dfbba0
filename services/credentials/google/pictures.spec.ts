import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { downloadPicture } from './pictures.ts';

let server: Server | undefined;
afterEach(() => {
  server?.close();
});

/** A place with one picture. */
async function serving(status: number, bytes: number, headers: Record<string, string> = {}): Promise<string> {
  server = createServer((request, response) => {
    const allowed = request.headers.authorization === 'Basic t';
    response.writeHead(allowed ? status : 401, headers).end(Buffer.alloc(bytes, 1));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/picture`;
}

test('a picture is base64', async () => {
  const url = await serving(200, 3);
  expect(await downloadPicture({ url, token: 't' }, 'http://google')).toBe('AQEB');
  expect(await downloadPicture({ url, token: 'wrong' }, 'http://google')).toBeNull();
});

test('one that is too large, or somewhere else, is none', async () => {
  await expect(downloadPicture({ url: await serving(200, 131_073), token: 't' }, 'http://google')).rejects.toThrow(
    '131072',
  );
  server?.close();
  const elsewhere = await serving(302, 0, { location: 'http://127.0.0.1:1/' });
  await expect(downloadPicture({ url: elsewhere, token: 't' }, 'http://google')).rejects.toThrow();
});

test.each([{}, { url: 'x', token: 't' }, { url: 'file:///etc/passwd', token: 't' }, { url: 'http://a/b', token: 't' }])(
  '%j is not asked for by who talks to Google over TLS',
  async (results) => {
    expect(await downloadPicture(results, 'https://google')).toBeNull();
  },
);
