import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import { action, service } from '../../shared/contracts/kernel.ts';
import { documented, shapeOf } from '../seeds/shapes.ts';
import { httpRequest } from '../system/clients/http.client.ts';
import { openMqtt } from '../system/clients/mqtt.client.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { within } from '../system/clients/wait.ts';
import { type InProcess, startInProcess } from '../system/in-process.ts';

/** All that a new command takes: one contract and one handler. No gateway knows of lamps. */
const contract = service({
  service: 'lamps',
  modules: {
    lamps: {
      summary: 'Lamps',
      actions: {
        dim: action({
          summary: 'Dim a lamp',
          access: 'user',
          entity: 'required',
          payload: z.strictObject({ percent: z.int().min(0).max(100) }),
          result: z.object({ lamp: z.string(), percent: z.int(), by: z.string() }),
        }),
        smash: action({ summary: 'Fails, and nobody knows why', access: 'user', entity: 'required', result: null }),
      },
    },
  },
});

const dimmed = { lamp: 'porch', percent: 40, by: 'ann' };
const tooBright = { code: 'INVALID_REQUEST', details: [{ path: ['payload', 'percent'], message: expect.any(String) }] };

let system: InProcess;
let token: string;

beforeAll(async () => {
  system = await startInProcess({
    contract,
    handlers: {
      lamps: {
        dim: async ({ entity, payload, principal }) => ({ lamp: entity, ...payload, by: principal.id }),
        async smash() {
          throw new Error('the secret is hunter2');
        },
      },
    },
  });
  token = await system.token('ann');
});
afterAll(() => system?.stop());

const ask = (percent: number, requestId: string) => ({
  module: 'lamps',
  command: 'dim',
  entity: 'porch',
  payload: { percent },
  requestId,
});

test('a new command is a route of the HTTP gateway', async () => {
  const dim = (percent: number, headers = { authorization: `Bearer ${token}` }) =>
    httpRequest(`${system.httpUrl}/api/lamps/porch/dim`, { method: 'POST', json: { percent }, headers });
  expect(await dim(40)).toMatchObject({ status: 200, body: dimmed });
  expect(await dim(101)).toMatchObject({ status: 400, body: tooBright });
  expect(await dim(40, {} as never)).toMatchObject({ status: 401 });
});

test('a new command is a request of the Socket.IO gateway', async () => {
  const socket = await openSocket(system.httpUrl, token);
  try {
    const dim = (percent: number) => within(socket.emitWithAck('request', ask(percent, `r${percent}`)), 'an answer');
    expect(await dim(40)).toEqual(dimmed);
    expect(await dim(101)).toMatchObject({ error: tooBright });
  } finally {
    socket.disconnect();
  }
});

test('a new command is a request of the MQTT gateway', async () => {
  const client = await openMqtt(system.mqttUrl, { username: 'ann', password: token });
  try {
    const dim = async (percent: number) => {
      const requestId = `r${percent}`;
      await client.subscribeAsync(`nestmtx/responses/${requestId}`, { qos: 1 });
      const answered = new Promise<string>((resolve) =>
        client.once('message', (_topic, payload) => resolve(payload.toString())),
      );
      await client.publishAsync('nestmtx/requests', JSON.stringify(ask(percent, requestId)), { qos: 1 });
      return JSON.parse(await within(answered, 'an answer'));
    };
    expect(await dim(40)).toEqual(dimmed);
    expect(await dim(101)).toMatchObject({ error: tooBright });
  } finally {
    await client.endAsync(true);
  }
});

test('a command that fails unexpectedly is a 500 in the documented shape, and tells nothing of why', async () => {
  const headers = { authorization: `Bearer ${token}` };
  const { status, body } = await httpRequest(`${system.httpUrl}/api/lamps/porch/smash`, { method: 'POST', headers });
  const code = 'INTERNAL_SERVER_ERROR';
  const sentence = 'Internal server error';
  expect([status, body]).toEqual([500, { ...(shapeOf(documented('error')) as object), error: sentence, code }]);
  const socket = await openSocket(system.httpUrl, token);
  const request = { module: 'lamps', command: 'smash', entity: 'porch', requestId: 'r' };
  expect(await socket.emitWithAck('request', request)).toEqual({ error: { code, message: sentence }, requestId: 'r' });
  socket.disconnect();
});

test('a new command is in the documents', async () => {
  const { body } = await httpRequest(`${system.httpUrl}/api/openapi.json`);
  const operation = (body as { paths: Record<string, { post: object }> }).paths['/api/lamps/{id}/dim']?.post;
  expect(operation).toMatchObject({ summary: 'Dim a lamp', responses: { 200: expect.any(Object) } });
  const asyncapi = await httpRequest(`${system.httpUrl}/api/asyncapi.json`);
  expect(JSON.stringify(asyncapi.body)).toContain('lamps');
});
