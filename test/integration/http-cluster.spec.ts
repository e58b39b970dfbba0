import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lateFanout } from '../../shared/fanout/late.fanout.ts';
import { type HttpReply, httpRequest } from '../system/clients/http.client.ts';
import { type HttpGateways, startHttpGateways } from '../system/http-gateways.ts';
import { signed } from '../system/signing.ts';
import { apiKey } from '../system/system.ts';

/** What several HTTP gateways hold together, over a real NATS. */

const path = '/api/users';
const limit = 60;
let cluster: HttpGateways;
/** By name: each test uses up a key of its own. */
const keys = new Map<string, string>();

const codeOf = ({ status, body }: HttpReply): string =>
  status === 200 ? 'OK' : ((body as { code: string }).code as string);
const ask = (gateway: number, headers: Record<string, string>) =>
  httpRequest(cluster.urls[gateway] + path, { headers });

beforeAll(async () => {
  cluster = await startHttpGateways(2, lateFanout(), { RATE_LIMIT_HTTP: String(limit) });
  const create = async (name: string) => {
    const json = { name, roles: ['admin'] };
    const made = await httpRequest(`${cluster.urls[0]}/api/api-keys`, {
      method: 'POST',
      headers: { 'x-api-key': apiKey },
      json,
    });
    keys.set(name, (made.body as { key: string }).key);
  };
  await Promise.all(['burst', 'turns', 'nonces', 'faults', 'alone'].map(create));
}, 60_000);
afterAll(() => cluster?.stop());

const keyOf = (name: string): string => keys.get(name) as string;

describe('a nonce', () => {
  test('passes once, whichever gateways see it at the same time', async () => {
    for (let round = 0; round < 10; round++) {
      const headers = signed(keyOf('nonces'), { path });
      const codes = (await Promise.all([0, 1, 0, 1].map((gateway) => ask(gateway, headers)))).map(codeOf);
      expect(codes.sort()).toEqual(['OK', 'REPLAYED_REQUEST', 'REPLAYED_REQUEST', 'REPLAYED_REQUEST']);
    }
  });
});

describe('the limit of a key', () => {
  test('is one over the gateways, asked by turns', async () => {
    const codes: string[] = [];
    for (let n = 0; n < 2 * limit; n++) codes.push(codeOf(await ask(n % 2, { 'x-api-key': keyOf('turns') })));
    const passed = codes.filter((code) => code === 'OK').length;
    expect(passed).toBeGreaterThanOrEqual(limit);
    expect(passed).toBeLessThanOrEqual(limit * 1.2);
    expect(codes.slice(-10)).toEqual(Array(10).fill('RATE_LIMITED'));
  });

  test('used up at one gateway is used up at the other, until the same moment', async () => {
    const headers = { 'x-api-key': keyOf('burst') };
    const codes = (await Promise.all(Array.from({ length: limit + 20 }, () => ask(0, headers)))).map(codeOf);
    expect(codes.filter((code) => code === 'OK')).toHaveLength(limit);
    const [here, there] = [await ask(0, headers), await ask(1, headers)];
    expect([codeOf(here), codeOf(there)]).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
    const [a, b] = [here, there].map(({ body }) => (body as { retryAfter: number }).retryAfter) as [number, number];
    expect(Math.abs(a - b)).toBeLessThanOrEqual(1);
    expect(a).toBeGreaterThan(40);
    expect(a).toBeLessThanOrEqual(60);
    expect(there.headers.get('retry-after')).toBe(String(b));
  });

  test('is another one for another key', async () => {
    expect(codeOf(await ask(1, { 'x-api-key': keyOf('alone') }))).toBe('OK');
  });
});

describe('without an answer of NATS', () => {
  test('a signed request is refused as UNAVAILABLE within 2 s, and let in when it is back', async () => {
    // The gateway knows the key by then: only the nonce has to be asked for.
    expect(codeOf(await ask(0, signed(keyOf('faults'), { path })))).toBe('OK');
    await cluster.nats.kill('SIGSTOP');
    try {
      const since = Date.now();
      expect(codeOf(await ask(0, signed(keyOf('faults'), { path })))).toBe('UNAVAILABLE');
      expect(Date.now() - since).toBeLessThan(2_500);
    } finally {
      await cluster.nats.kill('SIGCONT');
    }
    expect(codeOf(await ask(0, signed(keyOf('faults'), { path })))).toBe('OK');
  });
});

test('a push is UNAVAILABLE while there is nothing that reaches sockets', async () => {
  const json = { event: 'e', data: {} };
  const reply = await httpRequest(`${cluster.urls[0]}/api/broadcast`, {
    method: 'POST',
    headers: { 'x-api-key': keyOf('alone') },
    json,
  });
  expect([reply.status, codeOf(reply)]).toEqual([503, 'UNAVAILABLE']);
});
