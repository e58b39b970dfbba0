import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import type { Socket } from 'socket.io-client';
import { openMqtt } from '../system/clients/mqtt.client.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { eventually } from '../system/clients/wait.ts';
import { type InProcess, startInProcess } from '../system/in-process.ts';

/** The tables of NestMTX's MQTT documentation, "Event Types". */
const documented = {
  camera: ['demand', 'unDemand', 'ready', 'notReady', 'read', 'unread', 'extended', 'failed-extension'],
  credentials: ['authenticated', 'reauthenticated', 'unauthenticated'],
} as const;
const rows = Object.entries(documented).flatMap(([domain, events]) => events.map((event) => [domain, event] as const));

let system: InProcess;
let client: MqttClient;
let socket: Socket;
let onMqtt: [topic: string, body: unknown][] = [];
let onSocket: [event: string, body: unknown][] = [];

beforeAll(async () => {
  system = await startInProcess();
  client = await openMqtt(system.mqttUrl);
  const filters = ['camera', 'credentials'].flatMap((domain) =>
    ['', '/'].flatMap((slash) => [`${slash}nestmtx/events/${domain}/#`, `${slash}nestmtx/stream/${domain}/#`]),
  );
  await client.subscribeAsync(filters, { qos: 1 });
  client.on('message', (topic, payload) => onMqtt.push([topic, JSON.parse(payload.toString())]));
  socket = await openSocket(system.httpUrl, await system.token('ann'));
  socket.onAny((event: string, body: unknown) => onSocket.push([event, body]));
});
afterAll(async () => {
  socket?.disconnect();
  await client?.endAsync(true);
  await system?.stop();
});
beforeEach(() => {
  onMqtt = [];
  onSocket = [];
});

async function emit(domain: string, event: string, entity: string | null) {
  const body = { domain, event, entity, details: { name: 'Porch' }, at: new Date().toISOString() };
  await system.bus.emit({ id: randomUUID(), hearers: { kind: 'users' }, body });
  return body;
}

describe.each(rows)('the event %s %s', (domain, event) => {
  test.each(['some-id', null])('of the entity %s is heard on its topics, once each', async (entity) => {
    const body = await emit(domain, event, entity);
    const plain = [`nestmtx/events/${domain}/${entity}/${event}`, `nestmtx/stream/${domain}/${event}`];
    const expected = [...plain, ...plain.map((topic) => `/${topic}`)].sort();
    // One that follows shows that nothing more comes of the first.
    await emit(domain, 'after', entity);
    await eventually(
      async () => onMqtt.length,
      (count) => count >= 8,
      5_000,
    );
    const heard = onMqtt.filter(([topic]) => !topic.endsWith('/after'));
    expect(heard.map(([topic]) => topic).sort()).toEqual(expected);
    for (const [, told] of heard) expect(told).toEqual(body);
  });

  test('is heard under its three names over Socket.IO, once each', async () => {
    const body = await emit(domain, event, 'some-id');
    await emit(domain, 'after', 'some-id');
    await eventually(
      async () => onSocket.length,
      (count) => count >= 6,
      5_000,
    );
    const heard = onSocket.filter(([, told]) => (told as { event: string }).event === event);
    expect(heard).toEqual([`${domain}:${event}`, `${domain}:*`, event].map((name) => [name, body]));
  });
});
