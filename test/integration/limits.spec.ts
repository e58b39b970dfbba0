import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { io } from 'socket.io-client';
import { documented, shapeOf } from '../seeds/shapes.ts';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

let system: System;
let url: string;
let token: string;

const version = (headers: Record<string, string> = {}) => fetch(`${url}/api/version`, { headers });
const me = (headers: Record<string, string>) => fetch(`${url}/api/auth`, { headers });
const limit = 6;

beforeAll(async () => {
  system = await startOneProcess({ RATE_LIMIT_HTTP: String(limit), RATE_LIMIT_CONNECTIONS: '3' });
  url = system.httpUrls[0] as string;
  const answer = await fetch(`${url}/api/auth`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'admin', password: system.adminPassword }),
  });
  token = ((await answer.json()) as { bearer: string }).bearer;
});
afterAll(() => system?.stop());

describe('limits per minute', () => {
  test('count a user by the token, and say when to come back', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < limit; n++) statuses.push((await me({ authorization: `Bearer ${token}` })).status);
    expect(new Set(statuses)).toEqual(new Set([200]));
    const refused = await me({ authorization: `Bearer ${token}` });
    expect(refused.status).toBe(429);
    const body = (await refused.json()) as { retryAfter: number };
    expect(body).toEqual({ ...(shapeOf(documented('rate limit')) as object), requestId: expect.any(String) });
    const { retryAfter } = body;
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(60);
    expect(refused.headers.get('retry-after')).toBe(String(retryAfter));
  });

  test('count an API key by itself', async () => {
    expect((await fetch(`${url}/api/cameras`, { headers: { 'x-api-key': system.apiKey } })).status).toBe(200);
  });

  test('count who asks without either by address, whatever X-Forwarded-For claims', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < limit + 2; n++) {
      statuses.push((await version({ 'x-forwarded-for': `10.0.0.${n}` })).status);
    }
    expect(statuses.at(-1)).toBe(429);
  });

  test('count guesses of tokens by address too', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < limit + 1; n++) statuses.push((await me({ authorization: 'Bearer guess' })).status);
    expect(statuses).toEqual([...Array(limit).fill(401), 429]);
  });

  test('look no other key up then, and keep nobody out whose key was good before', async () => {
    const status = async (key: string) => (await fetch(`${url}/api/cameras`, { headers: { 'x-api-key': key } })).status;
    expect(await Promise.all([status('tg_guess'), status(system.apiKey)])).toEqual([429, 200]);
  });

  test('do not keep a probe from asking', async () => {
    expect((await fetch(`${url}/live`)).status).toBe(200);
  });

  test('count Socket.IO connections by address', async () => {
    const outcomes: unknown[] = [];
    for (let n = 0; n < 4; n++) {
      const socket = io(url, { forceNew: true, reconnection: false, auth: { token }, transports: ['websocket'] });
      outcomes.push(
        await new Promise((resolve) => {
          socket.once('connect', () => resolve('in'));
          socket.once('connect_error', (error) => resolve((error as Error & { data: unknown }).data));
        }),
      );
      socket.close();
    }
    const { error: message, code } = documented('rate limit') as { error: string; code: string };
    const refused = { code, message, retryAfter: expect.any(Number) };
    expect(outcomes).toEqual(['in', 'in', 'in', refused]);
    const { retryAfter } = outcomes.at(-1) as { retryAfter: number };
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(60);
  });

  test('count Socket.IO sessions that connect to nothing: twice as many, then there are none', async () => {
    const handshake = `${url}/socket.io/?EIO=4&transport=polling`;
    const statuses: number[] = [];
    // Four were begun before.
    for (let n = 0; n < 3; n++) statuses.push((await fetch(handshake)).status);
    expect(statuses).toEqual([200, 200, 429]);
    const refused = await fetch(handshake);
    const body = (await refused.json()) as { retryAfter: number };
    expect(body).toEqual(shapeOf(documented('rate limit')));
    expect(refused.headers.get('retry-after')).toBe(String(body.retryAfter));
    const upgrade = await upgradeRefused(`${url}/socket.io/?EIO=4&transport=websocket`);
    expect(upgrade).toEqual({ status: 429, body: shapeOf(documented('rate limit')) });
  });
});

/** What a WebSocket is answered that is not opened. */
async function upgradeRefused(address: string): Promise<{ status: number | undefined; body: unknown }> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const [response] = (await once(get(address, { headers }), 'response')) as [IncomingMessage];
  return { status: response.statusCode, body: await json(response) };
}
