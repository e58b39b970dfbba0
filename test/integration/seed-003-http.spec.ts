import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { documented, documentedText, shapeOf } from '../seeds/shapes.ts';
import { httpRequest } from '../system/clients/http.client.ts';
import type { System } from '../system/system.ts';
import { Cast, next } from './seeds/cast.ts';
import { systems } from './seeds/systems.ts';

/** The blocks of seed 003's HTTP API and of seed 002's bridge: each request as it stands there, each answer in its shape. */
describe.each(systems)('the HTTP API over %s', (_name, start) => {
  let system: System;
  let cast: Cast;

  beforeAll(async () => {
    system = await start();
    cast = await Cast.of(system);
  }, 60_000);
  afterEach(() => cast?.closeSockets());
  afterAll(() => system?.stop());

  const headers = () => ({ 'x-api-key': system.apiKey });
  const url = () => system.httpUrls.at(-1) as string;
  const post = (path: string, json: unknown) => httpRequest(url() + path, { method: 'POST', headers: headers(), json });

  test.each(['/api/push', '/api/broadcast', '/api/room'])('POST %s', async (path) => {
    const socket = await cast.registered(cast.people.user);
    expect(await socket.emitWithAck('room:join', { room: 'string' })).toMatchObject({ success: true });
    const request = documented(`POST ${path} request`);
    const heard = next(socket, request.event as string);
    const { status, body } = await post(path, {
      ...request,
      ...('userId' in request && { userId: cast.people.user.id }),
    });
    expect([status, body]).toEqual([200, shapeOf(documented(`POST ${path} response`))]);
    expect(await heard).toEqual({});
  });

  test('GET /api/status', async () => {
    const { status, body } = await httpRequest(`${url()}/api/status`, { headers: headers() });
    expect([status, body]).toEqual([
      200,
      { ...(shapeOf(documented('GET /api/status response')) as object), status: 'ok' },
    ]);
  });

  test('GET /health', async () => {
    const { body } = await httpRequest(`${url()}/health`);
    expect(body).toEqual(shapeOf(documented('GET /health response')));
  });

  test('GET /metrics of a process with sockets', async () => {
    await cast.connect(cast.people.user);
    await next(cast.open('no-token'), 'connect_error');
    const texts = await Promise.all(system.socketioUrls.map(async (one) => (await fetch(`${one}/metrics`)).text()));
    for (const line of documentedText('GET /metrics response').split('\n')) {
      if (line === '' || line.startsWith('# ...')) continue;
      const told = line.startsWith('#') ? line : line.slice(0, line.lastIndexOf(' ') + 1);
      expect(texts.some((text) => text.includes(told)) ? told : texts).toBe(told);
    }
  });

  test('an error', async () => {
    const wrong = { 'x-api-key': 'wrong' };
    const { status, body } = await httpRequest(`${url()}/api/status`, { headers: wrong });
    expect([status, body]).toEqual([401, shapeOf(documented('error'))]);
  });

  test('POST /<eventName>', async () => {
    const socket = await cast.registered(cast.people.admin);
    const request = documented('POST /<eventName> request');
    const heard = next(socket, 'collection:update');
    const { status, body } = await post('/collection:update', request);
    expect([status, body]).toEqual([200, shapeOf(documented('POST /api/broadcast response'))]);
    expect(await heard).toEqual(request.payload);
  });
});
