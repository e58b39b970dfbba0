import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { externalBroker } from '../../gateways/mqtt/external.broker.ts';
import { type MqttGateway, startMqttGateway } from '../../gateways/mqtt/mqtt.gateway.ts';
import type { EventEnvelope } from '../../shared/fanout/bus.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { type MosquittoOptions, type MosquittoServer, startMosquitto } from '../servers/mosquitto.ts';
import { StandInAuthenticator, StandInDispatcher, TestClient } from './mqtt.stand-ins.ts';

const five = { protocolVersion: 5 } as const;
let mosquitto: MosquittoServer;
let bus: ReturnType<typeof memoryBus>;
const dispatchers: StandInDispatcher[] = [];
const gateways: MqttGateway[] = [];
const clients: TestClient[] = [];

beforeAll(() => withMosquitto({}));
afterAll(() => mosquitto.stop());

/** Puts another Mosquitto into the place of the one that runs. */
async function withMosquitto(options: MosquittoOptions): Promise<void> {
  await mosquitto?.stop();
  mosquitto = await startMosquitto(options);
}

async function addGateway(concurrency?: number, waiting?: number): Promise<StandInDispatcher> {
  const dispatcher = new StandInDispatcher();
  const broker = externalBroker({
    url: mosquitto.url,
    baseTopic: 'nestmtx',
    log: silentLog,
    reconnectMs: 50,
    ...(concurrency !== undefined && { concurrency }),
    ...(waiting !== undefined && { waiting }),
  });
  const config = { baseTopic: 'nestmtx', eventTopics: 'both', isOpen: true, drainMs: 2_000 } as const;
  const authenticator = new StandInAuthenticator();
  gateways.push(await startMqttGateway({ broker, dispatcher, authenticator, bus, log: silentLog, config }));
  dispatchers.push(dispatcher);
  return dispatcher;
}

async function client(options = {}): Promise<TestClient> {
  const made = await TestClient.connect(mosquitto.url, options);
  clients.push(made);
  return made;
}

beforeEach(() => {
  bus = memoryBus();
});

afterEach(async () => {
  for (const dispatcher of dispatchers.splice(0)) dispatcher.release();
  await Promise.all(gateways.splice(0).map((gateway) => gateway.stop()));
  await Promise.all(clients.splice(0).map((one) => one.end()));
  await bus.close();
});

const ready = (id: string, entity = '1'): EventEnvelope => ({
  id,
  hearers: { kind: 'users' },
  body: { domain: 'camera', event: 'ready', entity, details: { id }, at: '2026-01-01T00:00:00.000Z' },
});

describe('requests over Mosquitto', () => {
  test('are answered as in seed 001, with the token of the payload', async () => {
    await addGateway();
    const one = await client();
    const request = { command: 'echo', module: 'users', requestId: 'unique-request-id', token: 'token-ann' };
    expect(JSON.parse(await one.ask({ ...request, entity: 7, payload: { a: 1 } }, 0))).toEqual({
      by: 'ann',
      entity: '7',
      payload: { a: 1 },
    });
  });

  test('are answered with the quality of service of the request, not retained', async () => {
    await addGateway();
    const one = await client();
    await one.mqtt.subscribeAsync(['nestmtx/responses/q0', 'nestmtx/responses/q1'], { qos: 2 });
    for (const qos of [0, 1] as const) {
      const request = JSON.stringify({ command: 'echo', module: 'users', requestId: `q${qos}` });
      await one.mqtt.publishAsync('nestmtx/requests', request, { qos });
      const { packet } = await one.next(`nestmtx/responses/q${qos}`);
      expect([packet.qos, packet.retain]).toEqual([qos, false]);
    }
  });

  test('are refused with a bad token on the response topic, and run as anonymous without one', async () => {
    const dispatcher = await addGateway();
    const one = await client();
    const request = { command: 'echo', module: 'users', requestId: 'r' };
    expect(JSON.parse(await one.ask({ ...request, token: 'bad' }))).toEqual({
      error: { code: 'UNAUTHORIZED', message: 'Authentication failed' },
      requestId: 'r',
    });
    await one.ask(request);
    expect(dispatcher.handled.map((handled) => handled.principal.kind)).toEqual(['anonymous']);
  });

  test('that fail are answered with the error, those that answer nothing with an empty message', async () => {
    await addGateway();
    const one = await client();
    expect(JSON.parse(await one.ask({ command: 'fail', module: 'users', requestId: 'f' }))).toEqual({
      error: { code: 'NOT_FOUND', message: 'No such thing' },
      requestId: 'f',
    });
    expect(await one.ask({ command: 'nothing', module: 'users', requestId: 'n' })).toBe('');
  });

  test('that cannot be read are reported on failures, repeating nothing of them', async () => {
    await addGateway();
    const one = await client();
    await one.mqtt.subscribeAsync('nestmtx/failures');
    for (const payload of ['{"token":"hunter2"', '{"token":"hunter2"}', 'hunter2']) {
      await one.mqtt.publishAsync('nestmtx/requests', payload, { qos: 1 });
      const { text } = await one.next('nestmtx/failures');
      expect(JSON.parse(text).error.code).toBe('INVALID_REQUEST');
      expect(text).not.toContain('hunter2');
    }
  });

  test('are shared by two gateways, each handled once', async () => {
    const [first, second] = [await addGateway(), await addGateway()];
    const one = await client();
    const ids = Array.from({ length: 40 }, (_, index) => `s${index}`);
    await Promise.all(ids.map((requestId) => one.ask({ command: 'echo', module: 'users', requestId })));
    const handled = [...first.handled, ...second.handled].map(({ request }) => request.requestId);
    expect(handled.sort()).toEqual([...ids].sort());
    expect(Math.min(first.handled.length, second.handled.length)).toBeGreaterThan(0);
  });

  test.each([0, 1] as const)(
    'of QoS %i run no more at a time than the gateway was told, and all in the end',
    async (qos) => {
      const dispatcher = await addGateway(3);
      const one = await client();
      const ids = Array.from({ length: 7 }, (_, index) => `b${index}`);
      const answers = Promise.all(
        ids.map((requestId) => one.ask({ command: 'wait', module: 'users', requestId, token: 'token-ann' }, qos)),
      );
      await dispatcher.reached(3);
      // The broker hands the gateway this one behind the others.
      const fence = one.ask({ command: 'echo', module: 'users', requestId: 'fence', token: 'token-ann' }, 0);
      if (qos === 1) await fence;
      expect(dispatcher.count('wait')).toBe(3);
      dispatcher.release();
      await Promise.all([answers, fence]);
      expect(dispatcher.count('wait')).toBe(7);
    },
  );

  test('of QoS 0 that find too many waiting are refused, and hold up neither other requests nor events', async () => {
    const dispatcher = await addGateway(2, 3);
    const [flooding, one] = [await client(), await client()];
    await flooding.mqtt.subscribeAsync('nestmtx/responses/flood');
    const request = { command: 'wait', module: 'users', requestId: 'flood', token: 'token-eve' };
    for (let n = 0; n < 6; n++) flooding.mqtt.publish('nestmtx/requests', JSON.stringify(request));
    const refused = JSON.parse((await flooding.next('nestmtx/responses/flood')).text);
    expect(refused).toMatchObject({ error: { code: 'UNAVAILABLE', retryAfter: 1 }, requestId: 'flood' });
    expect(dispatcher.count('wait')).toBe(2);
    await one.mqtt.subscribeAsync('nestmtx/events/#', { qos: 1 });
    const read = { command: 'echo', module: 'users', requestId: 'read', token: 'token-ann' };
    expect(JSON.parse(await one.ask(read, 1))).toHaveProperty('by', 'ann');
    // The second comes once the first was acknowledged.
    for (const id of ['e1', 'e2']) await bus.emit(ready(id));
    for (const _ of ['e1', 'e2']) await one.next('nestmtx/events/camera/1/ready');
    dispatcher.release();
    for (let n = 0; n < 5; n++) await flooding.next('nestmtx/responses/flood');
    expect(dispatcher.count('wait')).toBe(5);
  });

  test('that run when the gateway stops are answered, and no other is taken', async () => {
    const dispatcher = await addGateway();
    const one = await client();
    const answer = one.ask({ command: 'wait', module: 'users', requestId: 'last' });
    await dispatcher.reached(1);
    const [gateway] = gateways;
    const stopped = gateway?.stop();
    dispatcher.release();
    expect(JSON.parse(await answer)).toHaveProperty('by');
    await stopped;
    expect(gateway?.healthy()).toBe(false);
    gateways.splice(0);
  });
});

describe('MQTT 5 properties over Mosquitto', () => {
  const request = { command: 'echo', module: 'users', requestId: 'five' };

  test('choose the response topic and come back with the answer', async () => {
    await addGateway();
    const one = await client(five);
    await one.mqtt.subscribeAsync('clients/7/answers', { qos: 1 });
    const { requestId: _, ...rest } = request;
    await one.mqtt.publishAsync('nestmtx/requests', JSON.stringify(rest), {
      qos: 1,
      properties: {
        responseTopic: 'clients/7/answers',
        correlationData: Buffer.from('abc'),
        contentType: 'application/json',
        messageExpiryInterval: 60,
      },
    });
    const { packet, text } = await one.next('clients/7/answers');
    expect(JSON.parse(text)).toHaveProperty('by');
    expect(packet.properties?.correlationData?.toString()).toBe('abc');
    expect(packet.properties?.contentType).toBe('application/json');
    expect(packet.properties?.messageExpiryInterval).toBeGreaterThan(50);
  });

  test('do not let a client publish where only gateways do', async () => {
    const dispatcher = await addGateway();
    const one = await client(five);
    await one.mqtt.subscribeAsync(['nestmtx/responses/five', 'nestmtx/events/#', '/nestmtx/events/#'], { qos: 1 });
    const properties = { responseTopic: '/nestmtx/events/camera/1/ready' };
    await one.mqtt.publishAsync('nestmtx/requests', JSON.stringify(request), { qos: 1, properties });
    const { topic, text } = await one.next();
    expect([topic, JSON.parse(text).error.code]).toEqual(['nestmtx/responses/five', 'INVALID_REQUEST']);
    expect(dispatcher.handled).toHaveLength(0);
  });
});

describe('events over Mosquitto', () => {
  test('are published once with two gateways, on all four topics', async () => {
    await addGateway();
    await addGateway();
    const one = await client();
    await one.mqtt.subscribeAsync(['nestmtx/events/#', 'nestmtx/stream/#', '/nestmtx/#'], { qos: 1 });
    const ids = ['e1', 'e2', 'e3'];
    for (const id of ids) await bus.emit(ready(id, id));
    for (const id of ids) {
      for (const topic of [`events/camera/${id}/ready`, 'stream/camera/ready']) {
        for (const slash of ['', '/']) {
          const { packet, text } = await one.next(`${slash}nestmtx/${topic}`);
          expect(JSON.parse(text)).toMatchObject({ domain: 'camera', event: 'ready' });
          expect([packet.qos, packet.retain]).toEqual([1, false]);
        }
      }
    }
    // Whatever would come twice came before the answer to a question asked now.
    await one.ask({ command: 'echo', module: 'users', requestId: 'fence' });
    expect(one.heard).toEqual([]);
  });

  test('survive a restart of Mosquitto: none is lost, and requests are answered again', async () => {
    await withMosquitto({ persistence: true });
    await addGateway();
    await addGateway();
    const one = await client({ reconnectPeriod: 50, clientId: 'listener', clean: false });
    await one.mqtt.subscribeAsync('nestmtx/events/#', { qos: 1 });
    const ids = Array.from({ length: 30 }, (_, index) => `d${index}`);
    for (const id of ids.slice(0, 10)) await bus.emit(ready(id, id));
    const back = once(one.mqtt as never, 'connect');
    const restarted = mosquitto.restart();
    for (const id of ids.slice(10, 20)) await bus.emit(ready(id, id));
    await Promise.all([restarted, back]);
    for (const id of ids.slice(20)) await bus.emit(ready(id, id));
    for (const id of ids) await one.next(`nestmtx/events/camera/${id}/ready`, 15_000);
    expect(JSON.parse(await one.ask({ command: 'echo', module: 'users', requestId: 'again' }))).toHaveProperty('by');
    expect(gateways.every((gateway) => gateway.healthy())).toBe(true);
  });

  test('that the broker did not acknowledge before the connection was lost are given back at once', async () => {
    const broker = externalBroker({ url: mosquitto.url, baseTopic: 'nestmtx', log: silentLog });
    await broker.serve(async () => {});
    await mosquitto.kill('SIGSTOP');
    const published = broker.publish(['nestmtx/events/camera/1/ready'], '{}', ready('e1'));
    await mosquitto.kill('SIGKILL');
    await expect(published).rejects.toThrow();
    await expect(broker.publish(['nestmtx/events/camera/1/ready'], '{}', ready('e2'))).rejects.toThrow();
    await broker.close();
    await mosquitto.restart();
  });

  test('wait for a broker that is not there yet', async () => {
    const { port } = mosquitto;
    await mosquitto.stop();
    const starting = addGateway();
    mosquitto = await startMosquitto({ port });
    await starting;
    const one = await client();
    await one.mqtt.subscribeAsync('nestmtx/events/#', { qos: 1 });
    await bus.emit(ready('w1', 'w1'));
    await one.next('nestmtx/events/camera/w1/ready');
  });
});
