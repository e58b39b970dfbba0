import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { cleanUp } from '../servers/clean-up.ts';
import { openMqtt } from '../system/clients/mqtt.client.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { eventually, within } from '../system/clients/wait.ts';
import { startDistributed } from '../system/distributed.ts';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

/** A connection ends this many milliseconds, at most, after the backend no longer vouches for its token. */
const endsWithin = 2_000;

const systems: [name: string, gateways: number, start: (env: Record<string, string>) => Promise<System>][] = [
  ['one process', 1, startOneProcess],
  [
    'two Socket.IO gateways',
    2,
    (env) => startDistributed(env, { http: 1, socketio: 2, mqtt: 0 }, [], { services: ['auth', 'users', 'rooms'] }),
  ],
];

describe.each(systems)('open connections with AUTH_STRATEGY=introspection over %s', (_name, gateways, start) => {
  /** A stand-in for the backend that is asked: what it says of each token. */
  let backend: Server;
  let verdicts: Map<string, object>;
  let answers: boolean;
  let asked: string[];
  let system: System;
  const later = cleanUp();

  beforeAll(async () => {
    verdicts = new Map();
    backend = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { token } = JSON.parse(body) as { token: string };
      asked.push(token);
      if (!answers) response.destroy();
      else response.end(JSON.stringify(verdicts.get(token) ?? { active: false }));
    });
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    const { port } = backend.address() as AddressInfo;
    system = await start({
      AUTH_STRATEGY: 'introspection',
      AUTH_INTROSPECTION_URL: `http://127.0.0.1:${port}/verify`,
      SOCKETIO_ADMIN_UI: 'on',
    });
  }, 120_000);
  beforeEach(() => {
    [answers, asked] = [true, []];
    for (const token of ['ann-1', 'ann-2', 'bob-1']) verdicts.set(token, { active: true, sub: token.split('-')[0] });
  });
  afterAll(async () => {
    await system?.stop();
    backend?.closeAllConnections();
    backend?.close();
  }, 30_000);

  async function socket(token: string, gateway = 0, namespace = ''): Promise<Socket> {
    const opened = await openSocket(`${system.socketioUrls[gateway]}${namespace}`, token);
    later(() => opened.disconnect());
    return opened;
  }
  const everywhere = (token: string, namespace?: string) =>
    Promise.all(system.socketioUrls.map((_url, gateway) => socket(token, gateway, namespace)));
  const ended = (one: Socket) =>
    within(new Promise((resolve) => one.once('disconnect', resolve)), 'the end of a socket', endsWithin);
  const post = (event: string, body: object) =>
    fetch(`${system.httpUrls[0]}/${event}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': system.apiKey },
      body: JSON.stringify(body),
    });

  test('end when the backend no longer vouches for their token, and nobody else’s', async () => {
    const ending = [...(await everywhere('ann-1')), ...(await everywhere('ann-1'))];
    const staying = [...(await everywhere('ann-2')), ...(await everywhere('bob-1'))];
    const ends = Promise.all(ending.map(ended));
    verdicts.delete('ann-1');
    expect(new Set(await ends)).toEqual(new Set(['io server disconnect']));
    expect(staying.map(({ connected }) => connected)).toEqual(staying.map(() => true));
  });

  test('are asked about once a second by each gateway, however many there are', async () => {
    await Promise.all([...Array(5)].map(() => everywhere('ann-1')));
    asked = [];
    await delay(3_000);
    expect(asked.length).toBeGreaterThanOrEqual(2 * gateways);
    expect(asked.length).toBeLessThanOrEqual(4 * gateways);
  });

  test('stay while the backend is away for a moment', async () => {
    const sockets = await everywhere('ann-1');
    answers = false;
    asked = [];
    await delay(3_000);
    answers = true;
    expect(asked.length).toBeGreaterThan(0);
    expect(sockets.map(({ connected }) => connected)).toEqual(sockets.map(() => true));
  });

  test('hear what their roles hear now', async () => {
    const [one] = await everywhere('ann-1');
    const heard = new Promise((resolve) => one?.once('note:made', resolve));
    verdicts.set('ann-1', { active: true, sub: 'ann', roles: ['admin'] });
    const posting = setInterval(() => void post('note:made', { payload: { n: 1 }, rooms: ['admin'] }), 200);
    later(() => clearInterval(posting));
    expect(await within(heard, 'an event for administrators', 5_000)).toEqual({ n: 1 });
  });

  test('hear nothing more of what they heard by a role that they lost', async () => {
    const [eve, closed] = [randomUUID(), randomUUID()];
    verdicts.set(eve, { active: true, sub: 'eve', roles: ['admin'] });
    const [maker, sockets, admins] = [await socket('bob-1'), await everywhere(eve), await everywhere(eve, '/admin')];
    const create = { module: 'rooms', command: 'create', requestId: 'r', payload: { name: closed, private: true } };
    expect(await maker.emitWithAck('request', create)).toMatchObject({ name: closed });
    const rooms = ['admin', closed, 'lobby'];
    const heard = sockets.map((one) => {
      const notes: string[] = [];
      for (const room of rooms) one.on(`note:${room}`, () => notes.push(room));
      return notes;
    });
    for (const one of sockets)
      for (const room of rooms) expect(await one.emitWithAck('join_room', { room })).toMatchObject({ room });
    const ends = Promise.all(admins.map(ended));
    verdicts.set(eve, { active: true, sub: 'eve' });
    await ends;
    const hear = async () => {
      for (const notes of heard) notes.length = 0;
      for (const room of rooms) await post(`note:${room}`, { payload: {}, rooms: [room] });
      await Promise.all(sockets.map((one) => one.emitWithAck('ping')));
      return heard;
    };
    await eventually(hear, (all) => all.every((notes) => notes.join() === 'lobby'), 5_000);
    expect(sockets.map(({ connected }) => connected)).toEqual(sockets.map(() => true));
  });

  if (gateways === 1) {
    test('end over MQTT too', async () => {
      const client = await openMqtt(system.mqttUrls[0] as string, { username: 'x', password: 'ann-1' });
      later(() => client.endAsync(true));
      const closed = new Promise((resolve) => client.once('close', () => resolve('closed')));
      verdicts.delete('ann-1');
      expect(await within(closed, 'the end of the connection', endsWithin)).toBe('closed');
    });
  }
});
