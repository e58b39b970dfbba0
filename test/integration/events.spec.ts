import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import { connect, DiscardPolicy, type NatsConnection } from 'nats';
import type { Socket } from 'socket.io-client';
import type { EventEnvelope, ServiceEvent } from '../../shared/fanout/bus.ts';
import { Stage } from '../conformance/stage.ts';
import { cleanUp } from '../servers/clean-up.ts';
import { openMqtt } from '../system/clients/mqtt.client.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { eventually } from '../system/clients/wait.ts';
import { type Distributed, startDistributed } from '../system/distributed.ts';
import { brokerUsers } from '../system/shipped-mosquitto.ts';

/** Events from a command over HTTP to the clients of two Socket.IO and two MQTT gateways. */
const heardWithin = 10_000;

let system: Distributed;
let stage: Stage;
let nats: NatsConnection;
const later = cleanUp();

beforeAll(async () => {
  system = await startDistributed({}, { http: 1, socketio: 2, mqtt: 2 });
  stage = await Stage.open('http', system);
  nats = await connect({ servers: system.nats.url });
}, 60_000);
afterAll(async () => {
  await nats?.close();
  await stage?.close();
  await system?.stop();
}, 30_000);
interface Heard {
  on: string;
  body: ServiceEvent;
}

/** Everything a client of a Socket.IO gateway hears. */
async function listener(gateway: number, token: string): Promise<Heard[]> {
  const socket: Socket = await openSocket(system.socketioUrls[gateway] as string, token);
  later(() => socket.disconnect());
  const heard: Heard[] = [];
  socket.onAny((on: string, body: ServiceEvent) => heard.push({ on, body }));
  return heard;
}

/** Everything a client of the broker hears on the topics given. */
async function subscriber(filters: string[], login = {}): Promise<Heard[]> {
  const client: MqttClient = await openMqtt(system.mqttUrls[0] as string, login);
  later(() => client.endAsync(true));
  const heard: Heard[] = [];
  client.on('message', (on, payload) => heard.push({ on, body: JSON.parse(payload.toString()) }));
  await client.subscribeAsync(filters, { qos: 1 });
  return heard;
}
const overseer = { username: 'overseer', password: brokerUsers.overseer };

/** What was heard of one entity, when what ends it has come: in order and with the doubles. */
async function until(heard: Heard[], last: string, entity: string): Promise<Heard[]> {
  const of = () => heard.filter(({ body }) => body.entity === entity);
  await eventually(
    async () => of().map(({ on }) => on),
    (names) => names.includes(last),
    heardWithin,
  );
  return of();
}
const remove = (id: string) => stage.operator({ module: 'cameras', command: 'delete', entity: id });
const update = (id: string, name: string) =>
  stage.operator({ module: 'cameras', command: 'update', entity: id, payload: { name } });

test('a camera that is created is heard once by every client of every gateway', async () => {
  const sockets = [await listener(0, stage.people.user.token), await listener(1, stage.people.user.token)];
  const mqtt = await subscriber(['nestmtx/events/camera/#', '/nestmtx/stream/camera/#']);
  const { id, name } = await stage.camera();
  await remove(id);
  for (const heard of sockets) {
    const names = (await until(heard, 'deleted', id)).map(({ on }) => on);
    const expected = ['created', 'deleted'].flatMap((event) => [`camera:${event}`, 'camera:*', event]);
    expect(names).toEqual(expected);
    expect(heard.find(({ on }) => on === 'created')?.body).toEqual({
      domain: 'camera',
      event: 'created',
      entity: id,
      details: { name, enabled: false, path: null },
      at: expect.any(String),
    });
  }
  const topics = (await until(mqtt, '/nestmtx/stream/camera/deleted', id)).map(({ on }) => on);
  expect(topics.sort()).toEqual(
    [
      `nestmtx/events/camera/${id}/created`,
      '/nestmtx/stream/camera/created',
      `nestmtx/events/camera/${id}/deleted`,
      '/nestmtx/stream/camera/deleted',
    ].sort(),
  );
});

test('two hundred updates of ten cameras come in order per camera', async () => {
  const socket = await listener(1, stage.people.user.token);
  const mqtt = await subscriber(['nestmtx/events/camera/+/updated', 'nestmtx/events/camera/+/deleted']);
  const cameras = await Promise.all(Array.from({ length: 10 }, () => stage.camera()));
  const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
  await Promise.all(
    cameras.map(async ({ id }) => {
      for (const name of names) await update(id, name);
      await remove(id);
    }),
  );
  for (const { id } of cameras) {
    const namesOf = (heard: Heard[], on: string) =>
      heard.filter((one) => one.on === on).map(({ body }) => body.details.name);
    expect(namesOf(await until(socket, 'camera:deleted', id), 'camera:updated')).toEqual(names);
    const topic = `nestmtx/events/camera/${id}`;
    expect(namesOf(await until(mqtt, `${topic}/deleted`, id), `${topic}/updated`)).toEqual(names);
  }
});

test('JetStream holds the event when the command has answered', async () => {
  const streams = await nats.jetstreamManager();
  for (let round = 0; round < 20; round += 1) {
    const { id } = await stage.camera();
    // Straight after the answer; the stream's last message can only be this one, as nothing else emits.
    const { state } = await streams.streams.info('trigate-events');
    const stored = await streams.streams.getMessage('trigate-events', { seq: state.last_seq });
    const { body } = JSON.parse(stored.string()) as EventEnvelope;
    expect(body).toMatchObject({ domain: 'camera', event: 'created', entity: id });
  }
});

test('a command whose event JetStream does not take does not answer that it was done', async () => {
  const { streams } = await nats.jetstreamManager();
  const { config, state } = await streams.info('trigate-events');
  await streams.update('trigate-events', { ...config, discard: DiscardPolicy.New, max_msgs: state.messages });
  const refused = { module: 'cameras', command: 'create', payload: { name: 'unheard', source: 'rtsp://10.0.0.1/' } };
  try {
    expect(await stage.operatorCode(refused)).toBe('UNAVAILABLE');
  } finally {
    await streams.update('trigate-events', config);
  }
  expect(await stage.operatorCode(refused)).toBe('OK');
});

test('what happens to users is heard by administrators only', async () => {
  const [admin, user] = [await listener(0, stage.people.admin.token), await listener(0, stage.people.user.token)];
  const asAdmin = await subscriber(['nestmtx/events/users/#'], overseer);
  const person = await stage.person();
  await stage.operator({ module: 'users', command: 'delete', entity: person.id });
  expect((await until(admin, 'users:deleted', person.id)).map(({ body }) => body.event)).toContain('created');
  await until(asAdmin, `nestmtx/events/users/${person.id}/deleted`, person.id);
  // A camera's event, which everybody hears, comes after: had there been one of the user's, it would be here.
  const { id } = await stage.camera();
  await until(user, 'created', id);
  expect(user.filter(({ body }) => body.domain === 'users')).toEqual([]);
  await expect(subscriber(['nestmtx/events/users/#'])).rejects.toThrow();
});

test('what happens to a private room is heard by its members and administrators only', async () => {
  const { admin, user, stranger } = stage.people;
  const member = await stage.person();
  const ears = {
    admin: await listener(1, admin.token),
    maker: await listener(1, user.token),
    member: await listener(0, member.token),
    stranger: await listener(0, stranger.token),
  };
  const room = await stage.room({ private: true, members: [member.id] });
  const open = await stage.room();
  for (const heard of Object.values(ears)) await until(heard, 'rooms:created', open.id);
  const heardBy = Object.entries(ears).filter(([, heard]) => heard.some(({ body }) => body.entity === room.id));
  expect(heardBy.map(([who]) => who)).toEqual(['admin', 'maker', 'member']);
});

test('an MQTT gateway that is killed in the middle loses no event', async () => {
  const mqtt = await subscriber(['nestmtx/events/camera/#']);
  const cameras = await Promise.all(Array.from({ length: 5 }, () => stage.camera()));
  const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
  await Promise.all(
    cameras.map(async ({ id }, which) => {
      for (const name of names) {
        await update(id, name);
        if (which === 0 && name === 'n8') await system.processes['mqtt-1']?.kill('SIGKILL');
      }
      await remove(id);
    }),
  );
  for (const { id } of cameras) {
    const topic = `nestmtx/events/camera/${id}`;
    const heard = await eventually(
      async () => mqtt.filter(({ body }) => body.entity === id),
      (some) => some.some(({ on }) => on === `${topic}/deleted`),
      20_000,
    );
    const told = heard.filter(({ on }) => on === `${topic}/updated`).map(({ body }) => String(body.details.name));
    // At least once: the one that was under way may come again, and nothing later before it.
    expect([...new Set(told)]).toEqual(names);
  }
  await system.processes['mqtt-1']?.restart();
}, 60_000);
