import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import { io, type Socket } from 'socket.io-client';
import { httpClient } from '../system/clients/http.client.ts';
import { openMqtt } from '../system/clients/mqtt.client.ts';
import { within } from '../system/clients/wait.ts';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

/** The code blocks of the two documents of NestMTX, as they stand there but for host and token. */
const block = (path: string, replaced: Record<string, string> = {}): string => {
  const text = readFileSync(new URL(`../seeds/${path}`, import.meta.url), 'utf8');
  return Object.entries(replaced).reduce((done, [from, to]) => done.replaceAll(from, to), text);
};
const host = 'https://your-nestmtx-instance.com';

const usersListed = expect.objectContaining({ items: expect.any(Array), total: expect.any(Number) });
const unauthorized = {
  error: { code: 'UNAUTHORIZED', message: expect.any(String) },
  requestId: 'unique-request-id',
};

let system: System;
let token: string;

async function login(): Promise<string> {
  const payload = { username: 'admin', password: system.adminPassword };
  const answer = await httpClient(system.httpUrls[0] as string).request(
    { module: 'auth', command: 'create', payload },
    null,
  );
  return ('ok' in answer ? (answer.ok as { bearer: string }) : { bearer: '' }).bearer;
}

beforeAll(async () => {
  system = await startOneProcess();
  token = await login();
});
afterAll(() => system?.stop());

describe('Socket.IO API', () => {
  const seed = '000-nestmtx-socketio-api';
  let socket: Socket | undefined;
  afterEach(() => {
    socket?.disconnect();
  });

  const event = (name: string) =>
    within(new Promise<unknown>((resolve) => (socket as Socket).once(name, resolve)), `the event ${name}`);
  /** The block that connects, whose `const` is read from the same script. */
  const connect = (accessToken: string): Socket => {
    const script = block(`${seed}/03.js`, {
      [host]: system.socketioUrls[0] as string,
      'your-access-token': accessToken,
    });
    return runInNewContext(`${script}; socket`, { io }) as Socket;
  };
  /** Runs the blocks that ask for the users and print the answer; resolves to what was printed. */
  async function listUsers(): Promise<unknown[]> {
    const printed = new Promise<unknown[]>((resolve) => {
      const console = { log: (...values: unknown[]) => resolve(values) };
      runInNewContext(block(`${seed}/02.js`), { socket, console });
    });
    runInNewContext(block(`${seed}/01.js`), { socket });
    return within(printed, 'the answer');
  }

  test('"Using the Token" connects', async () => {
    socket = connect(token);
    await event('connect');
    expect(socket.connected).toBe(true);
  });

  test('"Example Request" is answered where "Handling Responses" listens', async () => {
    socket = connect(token);
    await event('connect');
    expect(await listUsers()).toEqual(['Received response:', usersListed]);
  });

  test('a token that is none is refused with an error event', async () => {
    socket = connect('not-a-token');
    expect(await event('connect_error')).toMatchObject({ data: { code: 'UNAUTHORIZED' } });
  });

  test('"Reconnecting with a New Token" takes the new one', async () => {
    socket = connect(token);
    await event('connect');
    await httpClient(system.httpUrls[0] as string).request({ module: 'auth', command: 'delete' }, token);
    await event('disconnect');
    const renewed = await login();
    runInNewContext(block(`${seed}/04.js`, { 'new-access-token': renewed }), { socket });
    await event('connect');
    token = renewed;
    expect(await listUsers()).toEqual(['Received response:', usersListed]);
  });

  test('"Reconnecting with a New Token" with one that is none is refused', async () => {
    socket = connect(token);
    await event('connect');
    runInNewContext(block(`${seed}/04.js`, { 'new-access-token': 'not-a-token' }), { socket });
    expect(await event('connect_error')).toMatchObject({ data: { code: 'UNAUTHORIZED' } });
  });
});

describe('MQTT API', () => {
  const seed = '001-nestmtx-mqtt-api';
  const topic = block(`${seed}/02.txt`).trim();
  let client: MqttClient | undefined;
  afterEach(() => client?.endAsync(true));

  /** Subscribes to the documented topic, publishes the block as it is, and resolves to the answer. */
  async function publish(body: string): Promise<unknown> {
    const mqtt = client as MqttClient;
    await mqtt.subscribeAsync(topic, { qos: 1 });
    const answered = new Promise<string>((resolve) =>
      mqtt.once('message', (where, payload) => resolve(where === topic ? payload.toString() : `on ${where}`)),
    );
    await mqtt.publishAsync('nestmtx/requests', body, { qos: 1 });
    return JSON.parse(await within(answered, 'the answer'));
  }

  test('"Using the Token": the request with a token is answered', async () => {
    client = await openMqtt(system.mqttUrls[0] as string);
    expect(await publish(block(`${seed}/03.json`, { 'your-access-token': token }))).toEqual(usersListed);
  });

  test('"Example Request" is answered on a connection that logged in with its bearer', async () => {
    client = await openMqtt(system.mqttUrls[0] as string, { username: 'anything', password: token });
    expect(await publish(block(`${seed}/01.json`))).toEqual(usersListed);
  });

  test('"Example Request" without any token gets an error on the response topic', async () => {
    client = await openMqtt(system.mqttUrls[0] as string);
    expect(await publish(block(`${seed}/01.json`))).toEqual(unauthorized);
  });

  test('a token that is none gets an error on the response topic', async () => {
    client = await openMqtt(system.mqttUrls[0] as string);
    expect(await publish(block(`${seed}/03.json`))).toEqual(unauthorized);
  });

  test('"Obtaining a Token": the auth module\'s create command gives one', async () => {
    client = await openMqtt(system.mqttUrls[0] as string);
    const payload = { username: 'admin', password: system.adminPassword };
    const request = { command: 'create', module: 'auth', requestId: 'unique-request-id', payload };
    const answer = (await publish(JSON.stringify(request))) as { bearer: string };
    expect(await publish(block(`${seed}/03.json`, { 'your-access-token': answer.bearer }))).toEqual(usersListed);
  });
});
