import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import type { MqttClient } from 'mqtt';
import type { Socket } from 'socket.io-client';
import { httpRequest } from '../system/clients/http.client.ts';
import { openMqtt } from '../system/clients/mqtt.client.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { eventually } from '../system/clients/wait.ts';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

interface Person {
  id: string;
  username: string;
  token: string;
}

const secret = 'the secret of tokens in this test';
const password = 's3cret-of-somebody';
let system: System;
const sockets: Socket[] = [];
const clients: MqttClient[] = [];

const start = async (env: Record<string, string> = {}) => {
  system = await startOneProcess({ JWT_SECRET: secret, ...env });
};
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.disconnect();
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
});
afterAll(() => system?.stop());

async function api<T>(method: string, path: string, json?: unknown, token?: string): Promise<T> {
  const { status, body } = await httpRequest(`${system.httpUrls[0]}/api/${path}`, {
    method,
    headers: token === undefined ? { 'x-api-key': system.apiKey } : { authorization: `Bearer ${token}` },
    ...(json !== undefined && { json }),
  });
  if (status >= 400) throw new Error(`${method} ${path}: ${status}`);
  return body as T;
}
let count = 0;
async function person(): Promise<Person> {
  count += 1;
  const username = `person-${count}`;
  const { id } = await api<{ id: string }>('POST', 'users', { username, password });
  return { id, username, token: (await api<{ bearer: string }>('POST', 'auth', { username, password })).bearer };
}
async function socketOf({ token }: Pick<Person, 'token'>): Promise<Socket> {
  const socket = await openSocket(system.socketioUrls[0] as string, token);
  sockets.push(socket);
  return socket;
}
async function mqttOf({ token }: Pick<Person, 'token'>): Promise<MqttClient> {
  const client = await openMqtt(system.mqttUrls[0] as string, { username: 'anything', password: token });
  clients.push(client);
  return client;
}
/** What a socket hears of people coming and going. */
function hearing(socket: Socket, name: string = 'user_online', other: string = 'user_offline') {
  const heard: { event: string; data: unknown }[] = [];
  for (const event of [name, other]) socket.on(event, (data) => heard.push({ event, data }));
  const until = (number: number, ms = 5_000) =>
    eventually(
      async () => heard,
      (all) => all.length >= number,
      ms,
    );
  return { heard, until };
}
const tick = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const told = ({ id, username }: Person) => ({
  user: { id, username, email: null },
  timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
});

describe('with PRESENCE_BROADCAST=all', () => {
  beforeAll(() => start(), 30_000);

  test('everybody hears once who comes and goes, over Socket.IO and MQTT together', async () => {
    const [watcher, ann] = [await person(), await person()];
    const socket = await socketOf(watcher);
    await hearing(socket).until(1);
    const { heard, until } = hearing(socket);
    const events = hearing(socket, 'presence:online', 'presence:offline');
    const client = await mqttOf(ann);
    await until(1);
    const second = await socketOf(ann);
    await client.endAsync(true);
    await tick(2_500);
    expect(heard).toEqual([{ event: 'user_online', data: told(ann) }]);
    second.disconnect();
    await until(2);
    expect(heard[1]).toEqual({ event: 'user_offline', data: told(ann) });
    const user = { id: ann.id, username: ann.username, email: null };
    expect(events.heard).toMatchObject([
      { event: 'presence:online', data: { domain: 'presence', event: 'online', entity: ann.id, details: user } },
      { event: 'presence:offline', data: { domain: 'presence', event: 'offline', entity: ann.id, details: user } },
    ]);
  }, 20_000);

  const patch = ({ id }: Person, json: unknown) => api('PATCH', `users/${id}`, json);
  test.each([
    ['logging out', (one: Person) => api('DELETE', 'auth', undefined, one.token)],
    ['a new password', (one: Person) => patch(one, { password: 's3cret-new' })],
    ['can_login false', (one: Person) => patch(one, { can_login: false })],
    ['deletion', (one: Person) => api('DELETE', `users/${one.id}`)],
  ])('%s ends the sockets and MQTT sessions of the user within 2 s', async (what, act) => {
    const one = await person();
    const client = await mqttOf(one);
    const socket = await socketOf(one);
    const ends = [
      new Promise<void>((resolve) => client.once('close', () => resolve())),
      new Promise<void>((resolve) => socket.once('disconnect', () => resolve())),
    ];
    const started = performance.now();
    await act(one);
    await Promise.all(ends);
    const ms = performance.now() - started;
    console.info(`revocation by ${what}, embedded broker: ${ms.toFixed(0)} ms`);
    expect(ms).toBeLessThan(2_000);
    await expect(mqttOf(one)).rejects.toMatchObject({ code: 4 });
  });

  test('a token that expires ends them within 2 s', async () => {
    const { id } = await person();
    const token = jwt.sign({ userId: id, tokenVersion: 1 }, secret, { expiresIn: 2 });
    const { exp } = jwt.decode(token) as { exp: number };
    const client = await mqttOf({ token });
    const socket = await socketOf({ token });
    await Promise.all([
      new Promise<void>((resolve) => client.once('close', () => resolve())),
      new Promise<void>((resolve) => socket.once('disconnect', () => resolve())),
    ]);
    const late = Date.now() - exp * 1_000;
    console.info(`expiry, embedded broker and socket: ended ${late} ms after it`);
    expect(late).toBeLessThan(2_000);
  });

  test('a login and a revocation at the same moment leave no session behind', async () => {
    const people = await Promise.all(Array.from({ length: 5 }, person));
    await Promise.all(
      people.flatMap((one) => [
        ...Array.from({ length: 5 }, () => socketOf(one).catch(() => {})),
        mqttOf(one).catch(() => {}),
        tick(Math.random() * 30).then(() => api('DELETE', 'auth', undefined, one.token)),
      ]),
    );
    await eventually(
      async () => sockets.filter(({ connected }) => connected).length,
      (open) => open === 0,
      2_000,
    );
    await eventually(
      async () => clients.filter(({ connected }) => connected).length,
      (open) => open === 0,
      2_000,
    );
  });
});
