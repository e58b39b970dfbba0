import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { silentLog } from '../../../shared/runtime/log.ts';
import { eventually } from '../../../test/system/clients/wait.ts';
import { wantedGlobals } from './globals.rules.ts';
import type { HookContext } from './hooks.rules.ts';
import { viewerPath } from './paths.rules.ts';
import { type Timing, WatchedServer } from './server.ts';

const context: HookContext = {
  callback: 'http://gateway',
  installation: 'one',
  server: 'a1b2',
  secret: 'sesame',
  program: 'wget',
};
const timing: Timing = { poll: 100, dead: 1_000, intact: 20, all: 60_000, live: 1_000 };

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

type Answers = Record<string, { status?: number; body: unknown; afterMs?: number }>;

/** A control API that answers as told and writes down what it was asked, and a watch over it. */
async function watched(
  changed: Answers = {},
  wanted = async () => new Map([['door', { source: 'publisher' }]]),
  more: Partial<Timing> = {},
) {
  const answers: Answers = {
    'GET /v3/info': { body: { version: 'v1.20.1', started: 'first' } },
    'GET /v3/config/global/get': { body: { authMethod: 'internal', rtsp: true, rtspAddress: ':8554' } },
    'GET /v3/config/paths/list': { body: { itemCount: 0, pageCount: 0, items: [] } },
    'GET /v3/config/paths/get/trigate/canary-one': { body: { name: 'trigate/canary-one' } },
    ...changed,
  };
  const asked: string[] = [];
  const http = createServer((request, response) => {
    const call = `${request.method} ${request.url?.split('?')[0]}`;
    asked.push(call);
    const { status = 200, body, afterMs = 0 } = answers[call] ?? { body: { status: 'ok' } };
    const answer = () => response.writeHead(status).end(JSON.stringify(body));
    if (afterMs) setTimeout(answer, afterMs);
    else answer();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  closing.push(() => http.close());
  const events: string[] = [];
  const apiUrl = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const emit = (event: string) => events.push(event);
  const server = new WatchedServer({
    apiUrl,
    address: '127.0.0.1',
    host: 'h',
    context,
    wanted,
    emit,
    log: silentLog,
    timing: { ...timing, ...more },
  });
  closing.push(() => server.stop());
  server.start();
  const writes = () => asked.filter((call) => !call.startsWith('GET'));
  return { server, answers, asked, writes, events, http };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('it did not come');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const added = 'POST /v3/config/paths/add/trigate/canary-one';

describe('a watched media server', () => {
  test('is told whom to ask before it is given a path, and the canary comes last', async () => {
    const { writes, events } = await watched();
    await until(() => writes().includes(added));
    expect(writes()).toEqual(['PATCH /v3/config/global/patch', 'POST /v3/config/paths/add/door', added]);
    expect(events).toEqual(['alive']);
  });

  test('is given no path where it does not take whom to ask', async () => {
    const refusal = { status: 400, body: { status: 'error', error: 'no' } };
    const { server, writes, events } = await watched({ 'PATCH /v3/config/global/patch': refusal });
    await until(() => /refused/.test(server.problem ?? ''));
    expect(new Set(writes())).toEqual(new Set(['PATCH /v3/config/global/patch']));
    expect(server.alive).toBe(false);
    expect(events).toEqual([]);
    await expect(server.put('x', { source: 'publisher' })).rejects.toMatchObject({ kind: 'unreachable' });
  });

  test('that is too old is left alone, and says which version it takes', async () => {
    const { server, asked } = await watched({ 'GET /v3/info': { body: { version: 'v1.19.2', started: 'first' } } });
    await until(() => /1\.20/.test(server.problem ?? ''));
    expect(server.version).toBe('v1.19.2');
    expect(new Set(asked)).toEqual(new Set(['GET /v3/info']));
  });

  test('that asks us already is not told again', async () => {
    const body = { rtsp: true, rtspAddress: ':8554', ...wantedGlobals(context) };
    const { writes } = await watched({ 'GET /v3/config/global/get': { body } });
    await until(() => writes().includes(added));
    expect(writes()).not.toContain('PATCH /v3/config/global/patch');
  });

  test('is not brought to anything while nobody can say what is wanted', async () => {
    let known = false;
    const { writes, server } = await watched({}, async () => {
      if (!known) throw new Error('the store does not answer');
      return new Map();
    });
    await until(() => server.alive);
    expect(writes()).toEqual(['PATCH /v3/config/global/patch']);
    known = true;
    await until(() => writes().includes(added));
  });

  test('that lost its paths or started anew has them again, and that is told after', async () => {
    const { writes, events, answers } = await watched();
    const times = () => writes().filter((call) => call === added).length;
    await until(() => times() === 1);
    answers['GET /v3/config/paths/get/trigate/canary-one'] = { status: 404, body: {} };
    await until(() => times() === 2);
    answers['GET /v3/config/paths/get/trigate/canary-one'] = { body: { name: 'x' } };
    await until(() => events.includes('restarted'));
    const before = events.length;
    answers['GET /v3/info'] = { body: { version: 'v1.20.1', started: 'second' } };
    await until(() => events.length > before);
    expect(new Set(events.slice(1))).toEqual(new Set(['restarted']));
    expect(writes().at(-1)).toBe(added);
  });

  test('that falls silent is dead after a while, not at once', async () => {
    const { server, events, http } = await watched();
    await until(() => server.alive);
    const begun = performance.now();
    http.close();
    http.closeAllConnections();
    await until(() => !server.alive);
    expect(performance.now() - begun).toBeGreaterThan(timing.dead / 2);
    expect(events).toEqual(['alive', 'dead']);
    expect(server.problem).toMatch(/cannot be reached/);
  });

  test('says whose a path is, with one question for all who ask within a moment', async () => {
    const { answers, asked, server } = await watched();
    const question = 'GET /v3/config/paths/get/lane';
    const times = () => asked.filter((call) => call === question).length;
    const several = async () => new Set(await Promise.all(Array.from({ length: 50 }, () => server.whose('lane'))));
    answers[question] = { status: 404, body: {} };
    expect(await several()).toEqual(new Set(['nobody']));
    expect(await several()).toEqual(new Set(['nobody']));
    expect(times()).toBe(1);
    answers[question] = { body: { name: 'lane', runOnDemand: 'somebody else' } };
    await eventually(
      () => server.whose('lane'),
      (whose) => whose === 'foreign',
      5_000,
    );
    answers[question] = { body: { name: 'lane', ...viewerPath(context, 'lane', { startTimeout: 1, closeAfter: 1 }) } };
    await eventually(
      () => server.whose('lane'),
      (whose) => whose === 'ours',
      5_000,
    );
  });

  test('is alive and changed while more is asked about its paths than it can answer', async () => {
    const names = Array.from({ length: 100 }, (_, n) => `lane-${n}`);
    const slow = { status: 404, body: {}, afterMs: 100 };
    const answers = Object.fromEntries(names.map((name) => [`GET /v3/config/paths/get/${name}`, slow]));
    const { server, events } = await watched(answers, undefined, { poll: 200 });
    await until(() => server.alive);
    let answered = 0;
    const asked = names.map((name) => server.whose(name).finally(() => (answered += 1)));
    await server.put('yard', { source: 'publisher' });
    expect(answered).toBeLessThan(names.length / 2);
    await Promise.allSettled(asked);
    expect(events).toEqual(['alive']);
  });

  test('is asked once by all who want its live paths within a moment', async () => {
    const page = { itemCount: 1, pageCount: 1, items: [{ name: 'door', ready: true }] };
    const { server, asked } = await watched({ 'GET /v3/paths/list': { body: page } });
    await until(() => server.alive);
    const [one, other] = await Promise.all([server.paths(), server.paths()]);
    expect((await server.paths()).get('door')).toMatchObject({ available: true });
    expect(one).toBe(other);
    expect(asked.filter((call) => call === 'GET /v3/paths/list')).toHaveLength(1);
  });
});
