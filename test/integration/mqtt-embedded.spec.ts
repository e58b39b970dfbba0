import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { IClientOptions } from 'mqtt';
import WebSocket from 'ws';
import { perMinute } from '../../gateways/core/limits.ts';
import {
  type EmbeddedBroker,
  type EmbeddedBrokerOptions,
  embeddedBroker,
} from '../../gateways/mqtt/embedded.broker.ts';
import { type MqttGateway, startMqttGateway } from '../../gateways/mqtt/mqtt.gateway.ts';
import type { EventEnvelope, EventHearers } from '../../shared/fanout/bus.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { StandInAuthenticator, StandInDispatcher, TestClient } from './mqtt.stand-ins.ts';

let dispatcher: StandInDispatcher;
let authenticator: StandInAuthenticator;
let bus: ReturnType<typeof memoryBus>;
let broker: EmbeddedBroker;
let gateway: MqttGateway;
const clients: TestClient[] = [];

async function start(options: Partial<EmbeddedBrokerOptions> = {}): Promise<void> {
  await gateway?.stop();
  dispatcher = new StandInDispatcher();
  authenticator = new StandInAuthenticator();
  broker = await embeddedBroker({
    host: '127.0.0.1',
    port: 0,
    baseTopic: 'nestmtx',
    anonymous: 'events',
    origins: [],
    trustProxy: 0,
    authenticator,
    log: silentLog,
    ...options,
  });
  const config = { baseTopic: 'nestmtx', eventTopics: 'plain', isOpen: true, drainMs: 2_000 } as const;
  gateway = await startMqttGateway({ broker, dispatcher, authenticator, bus, log: silentLog, config });
}

beforeEach(async () => {
  bus = memoryBus();
  await start();
});

afterEach(async () => {
  dispatcher.release();
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await gateway.stop();
  await bus.close();
});

async function client(options: IClientOptions = {}): Promise<TestClient> {
  const made = await TestClient.connect(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 4, ...options });
  clients.push(made);
  return made;
}

const loggedIn = (user: string, options: IClientOptions = {}) =>
  client({ username: 'anything', password: user.includes('-') ? user : `token-${user}`, ...options });
const refusedWith = (connecting: Promise<TestClient>) =>
  connecting.then(
    () => 'let in',
    (error: { code?: number }) => error.code,
  );
const closed = (one: TestClient) => new Promise<void>((resolve) => one.mqtt.once('close', () => resolve()));
const echo = { command: 'echo', module: 'users', requestId: 'r1' };

const about = (domain: string, hearers: EventHearers = { kind: 'users' }, id: string = domain): EventEnvelope => ({
  id,
  hearers,
  body: { domain, event: 'created', entity: '1', details: { id }, at: '2026-01-01T00:00:00.000Z' },
});

describe('a request', () => {
  test('runs as who connected, without a token in it', async () => {
    const ann = await loggedIn('ann');
    expect(JSON.parse(await ann.ask(echo))).toMatchObject({ by: 'ann' });
  });

  test('runs as the token in it, whoever connected', async () => {
    const nobody = await client();
    expect(JSON.parse(await nobody.ask({ ...echo, token: 'token-ann' }))).toMatchObject({ by: 'ann' });
    const bob = await loggedIn('bob');
    expect(JSON.parse(await bob.ask({ ...echo, token: 'token-ann' }))).toMatchObject({ by: 'ann' });
    expect(JSON.parse(await bob.ask({ ...echo, token: 'bad' }))).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
  });

  test.each([0, 1, 2] as const)('of QoS %i is handled once and answered with that quality', async (qos) => {
    const ann = await loggedIn('ann');
    await ann.mqtt.subscribeAsync('nestmtx/responses/r1', { qos: 2 });
    await ann.mqtt.publishAsync('nestmtx/requests', JSON.stringify(echo), { qos });
    const { packet } = await ann.next('nestmtx/responses/r1');
    expect([packet.qos, packet.retain, dispatcher.handled.length]).toEqual([qos, false, 1]);
  });

  test('that cannot be read is reported to its sender alone', async () => {
    const [ann, bob] = [await loggedIn('ann'), await loggedIn('bob')];
    for (const one of [ann, bob]) await one.mqtt.subscribeAsync('nestmtx/failures');
    await ann.mqtt.publishAsync('nestmtx/requests', 'hunter2', { qos: 1 });
    const { text } = await ann.next('nestmtx/failures');
    expect(text).not.toContain('hunter2');
    await bob.ask(echo);
    expect(bob.heard).toEqual([]);
  });

  test('larger than 1 MB is answered, one much larger ends the connection before it is read', async () => {
    const ann = await loggedIn('ann');
    await ann.mqtt.subscribeAsync('nestmtx/failures');
    await ann.mqtt.publishAsync('nestmtx/requests', Buffer.alloc(1_100_000, 'a'), { qos: 1 });
    expect(JSON.parse((await ann.next('nestmtx/failures')).text).error.code).toBe('PAYLOAD_TOO_LARGE');
    const ended = closed(ann);
    ann.mqtt.publish('nestmtx/requests', Buffer.alloc(3_000_000, 'a'));
    await ended;
  });

  test('waits its turn beside 64 others of the same client, and all are answered', async () => {
    const ann = await loggedIn('ann');
    const ids = Array.from({ length: 70 }, (_, index) => `w${index}`);
    const answers = Promise.all(ids.map((requestId) => ann.ask({ ...echo, command: 'wait', requestId })));
    await dispatcher.reached(64);
    const bob = await loggedIn('bob');
    expect(JSON.parse(await bob.ask({ ...echo, requestId: 'other' }))).toMatchObject({ by: 'bob' });
    expect(dispatcher.count('wait')).toBe(64);
    dispatcher.release();
    await answers;
    expect(dispatcher.count('wait')).toBe(70);
  });
});

describe('an answer', () => {
  test('reaches only who asked, with two clients using one request id at the same time', async () => {
    const [ann, bob, eve] = [await loggedIn('ann'), await loggedIn('bob'), await loggedIn('admin-eve')];
    for (const one of [ann, bob, eve]) await one.mqtt.subscribeAsync('nestmtx/responses/r1', { qos: 1 });
    const ask = (one: TestClient) =>
      one.mqtt.publishAsync('nestmtx/requests', JSON.stringify({ ...echo, command: 'wait' }));
    await Promise.all([ask(ann), ask(bob)]);
    await dispatcher.reached(2);
    dispatcher.release();
    expect(JSON.parse((await ann.next('nestmtx/responses/r1')).text)).toMatchObject({ by: 'ann' });
    expect(JSON.parse((await bob.next('nestmtx/responses/r1')).text)).toMatchObject({ by: 'bob' });
    await eve.ask({ ...echo, requestId: 'fence' });
    expect([ann, bob, eve].map(({ heard }) => heard.length)).toEqual([0, 0, 0]);
  });

  test('waits for a client with a kept session, and nobody else with its client id gets it', async () => {
    const kept = { clientId: 'c1', clean: false };
    const ann = await loggedIn('ann', kept);
    await ann.mqtt.subscribeAsync('nestmtx/responses/r1', { qos: 1 });
    await ann.mqtt.publishAsync('nestmtx/requests', JSON.stringify({ ...echo, command: 'wait' }), { qos: 1 });
    await dispatcher.reached(1);
    await ann.end();
    dispatcher.release();
    const fence = await loggedIn('bob');
    await fence.ask({ ...echo, requestId: 'fence' });

    expect(await refusedWith(loggedIn('bob', kept))).toBe(2);
    expect(await refusedWith(client({ clientId: 'c1' }))).toBe(2);
    const again = await loggedIn('ann', kept);
    expect(JSON.parse((await again.next('nestmtx/responses/r1')).text)).toMatchObject({ by: 'ann' });
  });

  test('of QoS 1 is not lost where one of QoS 0 overtakes it', async () => {
    const ann = await loggedIn('ann', { clientId: 'c1', clean: false });
    const ids = ['r1', 'r2'];
    await ann.mqtt.subscribeAsync(
      ids.map((id) => `nestmtx/responses/${id}`),
      { qos: 1 },
    );
    for (const [index, requestId] of ids.entries()) {
      const request = JSON.stringify({ ...echo, command: 'wait', requestId });
      await ann.mqtt.publishAsync('nestmtx/requests', request, { qos: index === 0 ? 1 : 0 });
    }
    await dispatcher.reached(2);
    dispatcher.release();
    for (const id of ids) await ann.next(`nestmtx/responses/${id}`);
  });

  test('is not repeated to a client that acknowledged it', async () => {
    const kept = { clientId: 'c1', clean: false };
    const ann = await loggedIn('ann', kept);
    await ann.ask(echo);
    await ann.mqtt.endAsync();
    const again = await loggedIn('ann', kept);
    await again.ask({ ...echo, requestId: 'fence' });
    expect(again.heard).toEqual([]);
  });

  test('many that wait all come, each once, with those asked for meanwhile', async () => {
    const kept = { clientId: 'c1', clean: false };
    const ann = await loggedIn('ann', kept);
    const ids = Array.from({ length: 50 }, (_, index) => `q${index}`);
    await ann.mqtt.subscribeAsync(
      ids.map((id) => `nestmtx/responses/${id}`),
      { qos: 1 },
    );
    for (const requestId of ids) {
      ann.mqtt.publish('nestmtx/requests', JSON.stringify({ ...echo, command: 'wait', requestId }), { qos: 1 });
    }
    await dispatcher.reached(50);
    await ann.end();
    dispatcher.release();
    const again = await loggedIn('ann', kept);
    for (const id of ids) expect((await again.next(`nestmtx/responses/${id}`)).packet.qos).toBe(1);
    await again.ask({ ...echo, requestId: 'fence' });
    expect(again.heard).toEqual([]);
  });
});

describe('a client id', () => {
  test('in use by one user cannot be taken over by another, nor by somebody anonymous', async () => {
    const ann = await loggedIn('ann', { clientId: 'c1' });
    expect(await refusedWith(loggedIn('bob', { clientId: 'c1' }))).toBe(2);
    expect(await refusedWith(client({ clientId: 'c1' }))).toBe(2);
    expect(JSON.parse(await ann.ask(echo))).toMatchObject({ by: 'ann' });
  });

  test('of an anonymous client cannot be taken over by another one, and is free when it left', async () => {
    const first = await client({ clientId: 'c1', clean: false });
    expect(await refusedWith(client({ clientId: 'c1' }))).toBe(2);
    await first.ask(echo);
    await first.end();
    const second = await client({ clientId: 'c1', clean: false });
    await second.ask({ ...echo, requestId: 'fence' });
    expect(second.heard).toEqual([]);
  });

  test('is taken over by the same user, whose first client is ended', async () => {
    const first = await loggedIn('ann', { clientId: 'c1' });
    const ended = closed(first);
    const second = await loggedIn('ann', { clientId: 'c1' });
    await ended;
    expect(JSON.parse(await second.ask(echo))).toMatchObject({ by: 'ann' });
  });

  test('is needed for a session that is kept', async () => {
    expect(await refusedWith(loggedIn('ann', { clientId: '', clean: false, protocolVersion: 4 }))).not.toBe('let in');
  });
});

describe('a login', () => {
  test('with a bad bearer is refused, whatever the mode', async () => {
    expect(await refusedWith(loggedIn('x', { password: 'bad' }))).toBe(4);
  });

  test('ends with the token, and when the user is revoked', async () => {
    authenticator.expire('token-ann', Date.now() / 1_000 + 1);
    const ended = closed(await loggedIn('ann'));
    await ended;
    const [bob, eve] = [await loggedIn('bob'), await loggedIn('eve')];
    const revoked = closed(bob);
    authenticator.revoke('bob');
    await revoked;
    expect(JSON.parse(await eve.ask(echo))).toMatchObject({ by: 'eve' });
  });

  test('that was revoked while its bearer was checked is refused', async () => {
    const check = authenticator.bearer.bind(authenticator);
    authenticator.bearer = async (token) => {
      const found = await check(token);
      authenticator.revoke(found.id);
      return found;
    };
    expect(await refusedWith(loggedIn('ann'))).toBe(4);
  });

  test('is limited per address', async () => {
    await start({ limit: perMinute(2, 'mqtt') });
    await client();
    await client();
    expect(await refusedWith(client())).toBe(3);
  });

  test('is told to presence, as is its end', async () => {
    const told: string[] = [];
    let left = () => {};
    const leaving = new Promise<void>((resolve) => {
      left = resolve;
    });
    await start({
      presence: {
        joined: (id, { username }) => void told.push(`joined ${id} ${username}`),
        left: (id) => {
          told.push(`left ${id}`);
          left();
        },
      },
    });
    const ann = await loggedIn('ann', { clientId: 'c1' });
    await client({ clientId: 'c2' });
    await ann.end();
    await leaving;
    expect(told).toEqual(['joined c1 ann', 'left c1']);
  });
});

describe('anonymous clients', () => {
  test('are refused in the mode off', async () => {
    await start({ anonymous: 'off' });
    expect(await refusedWith(client())).toBe(5);
    expect(JSON.parse(await (await loggedIn('ann')).ask(echo))).toMatchObject({ by: 'ann' });
  });

  test('may ask and not hear events in the mode requests', async () => {
    await start({ anonymous: 'requests' });
    const one = await client();
    await expect(one.mqtt.subscribeAsync('nestmtx/events/camera/#')).rejects.toThrow();
    expect(JSON.parse(await one.ask({ ...echo, token: 'token-ann' }))).toMatchObject({ by: 'ann' });
  });

  test('hear camera and credentials events in the mode events, and no others', async () => {
    const one = await client();
    await one.mqtt.subscribeAsync(['nestmtx/events/#', 'nestmtx/stream/camera/+'], { qos: 1 });
    for (const domain of ['presence', 'camera', 'users', 'credentials']) await bus.emit(about(domain));
    const topics = [await one.next(), await one.next(), await one.next()].map(({ topic }) => topic);
    expect(topics.sort()).toEqual([
      'nestmtx/events/camera/1/created',
      'nestmtx/events/credentials/1/created',
      'nestmtx/stream/camera/created',
    ]);
    await one.ask(echo);
    expect(one.heard).toEqual([]);
  });
});

describe('events', () => {
  test('reach only those who may hear them, through wildcards too', async () => {
    const [ann, bob, admin] = [await loggedIn('ann'), await loggedIn('bob'), await loggedIn('admin-root')];
    for (const one of [ann, bob, admin]) await one.mqtt.subscribeAsync('nestmtx/events/#', { qos: 1 });
    await bus.emit(about('rooms', { kind: 'named', users: ['ann'] }));
    await bus.emit(about('users', { kind: 'admins' }));
    await bus.emit(about('presence'));
    const heard = async (one: TestClient, count: number) => {
      const domains: unknown[] = [];
      for (let index = 0; index < count; index += 1) domains.push(JSON.parse((await one.next()).text).domain);
      await one.ask({ ...echo, requestId: `fence-${count}` });
      return [...domains, ...one.heard];
    };
    expect((await heard(admin, 3)).sort()).toEqual(['presence', 'rooms', 'users']);
    expect((await heard(ann, 2)).sort()).toEqual(['presence', 'rooms']);
    expect(await heard(bob, 1)).toEqual(['presence']);
  });

  test('of a role reach whoever gets it while connected, or while its session is kept', async () => {
    const [ann, bob] = [await loggedIn('ann'), await loggedIn('bob')];
    for (const one of [ann, bob]) await one.mqtt.subscribeAsync('nestmtx/events/#', { qos: 1 });
    const kept = { clientId: 'c1', clean: false };
    const away = await loggedIn('ann', kept);
    await away.mqtt.subscribeAsync('nestmtx/events/#', { qos: 1 });
    await away.end();
    await bus.emit(about('users', { kind: 'admins' }, 'before'));
    await ann.ask(echo);
    authenticator.promote('ann');
    await ann.ask({ ...echo, requestId: 'fence' });
    await bus.emit(about('users', { kind: 'admins' }, 'after'));
    const again = await loggedIn('ann', kept);
    for (const one of [ann, again]) expect(JSON.parse((await one.next()).text).details.id).toBe('after');
    expect(dispatcher.handled.at(-1)?.principal.roles).toContain('admin');
    await expect(ann.mqtt.subscribeAsync('nestmtx/events/users/#')).resolves.toBeDefined();
    await bob.ask({ ...echo, requestId: 'fence' });
    expect(bob.heard).toEqual([]);
  });

  test('of a role reach whoever gets it, though nobody could say so at first', async () => {
    const ann = await loggedIn('ann');
    await ann.mqtt.subscribeAsync('nestmtx/events/#', { qos: 1 });
    authenticator.unanswered = 2;
    authenticator.promote('ann');
    const emit = () => void bus.emit(about('users', { kind: 'admins' }, randomUUID()));
    const emitting = setInterval(emit, 50);
    await ann.next().finally(() => clearInterval(emitting));
    expect(authenticator.unanswered).toBe(0);
  });

  test('wait for a kept session, once each, for overlapping filters too, and not those its user may no longer hear', async () => {
    const kept = { clientId: 'c1', clean: false };
    const root = await loggedIn('admin-root', kept);
    await root.mqtt.subscribeAsync(['nestmtx/events/#', 'nestmtx/events/camera/+/created'], { qos: 1 });
    await root.end();
    for (let index = 0; index < 40; index += 1) await bus.emit(about('users', { kind: 'admins' }, `u${index}`));
    await bus.emit(about('camera'));
    // Logs in without the role it had when the events were queued.
    const again = await loggedIn('root', kept);
    expect((await again.next()).topic).toBe('nestmtx/events/camera/1/created');
    expect(JSON.parse(await again.ask(echo))).toMatchObject({ by: 'root' });
    expect(again.heard).toEqual([]);
  });

  test('beyond the bound of a kept session are dropped, the earliest are kept', async () => {
    await start({ bounds: { queued: 5 } });
    const kept = { clientId: 'c1', clean: false };
    const ann = await loggedIn('ann', kept);
    await ann.mqtt.subscribeAsync('nestmtx/events/#', { qos: 1 });
    await ann.end();
    for (let index = 0; index < 9; index += 1) await bus.emit({ ...about('camera', undefined, `e${index}`) });
    await (await loggedIn('bob')).ask(echo);
    const again = await loggedIn('ann', kept);
    await again.ask({ ...echo, requestId: 'fence' });
    const kepts = again.heard.map(({ text }) => JSON.parse(text).details.id);
    expect(kepts).toHaveLength(5);
  });
});

describe('the hooks', () => {
  test.each([
    'nestmtx/responses/r1',
    'nestmtx/events/camera/1/ready',
    '/nestmtx/events/camera/1/ready',
    'nestmtx/failures',
    'elsewhere',
  ])('end a client that publishes on %s, and nobody hears it', async (topic) => {
    const [ann, admin] = [await loggedIn('ann'), await loggedIn('admin-root')];
    await ann.mqtt.subscribeAsync(['nestmtx/responses/r1', 'nestmtx/failures', 'nestmtx/events/camera/#'], { qos: 1 });
    const ended = closed(admin);
    admin.mqtt.publish(topic, '{}', { qos: 1 });
    await ended;
    await ann.ask({ ...echo, requestId: 'fence' });
    expect(ann.heard).toEqual([]);
  });

  test('end a client that wants a request retained', async () => {
    const ann = await loggedIn('ann');
    const ended = closed(ann);
    ann.mqtt.publish('nestmtx/requests', JSON.stringify(echo), { retain: true });
    await ended;
    expect(dispatcher.handled).toEqual([]);
  });

  test.each(['#', '+/#', 'nestmtx/#', 'nestmtx/responses/+', 'nestmtx/responses/#', 'nestmtx/requests', '$SYS/#'])(
    'refuse a subscription to %s, also of an administrator, and grant the others of the packet',
    async (filter) => {
      const admin = await loggedIn('admin-root', { clientId: 'c1', clean: false });
      await expect(admin.mqtt.subscribeAsync([filter, 'nestmtx/events/#'], { qos: 1 })).rejects.toThrow();
      await bus.emit(about('camera'));
      await admin.next('nestmtx/events/camera/1/created');
      await admin.end();
      const ann = await loggedIn('ann');
      await ann.ask(echo);
      const again = await loggedIn('admin-root', { clientId: 'c1', clean: false });
      await again.ask({ ...echo, requestId: 'fence' });
      expect(again.heard).toEqual([]);
    },
  );

  test('grant a hundred subscriptions and no more', async () => {
    const ann = await loggedIn('ann');
    const topics = Array.from({ length: 100 }, (_, index) => `nestmtx/responses/${index}`);
    await ann.mqtt.subscribeAsync(topics);
    await expect(ann.mqtt.subscribeAsync('nestmtx/responses/one-more')).rejects.toThrow();
    await ann.mqtt.unsubscribeAsync('nestmtx/responses/0');
    await ann.mqtt.subscribeAsync('nestmtx/responses/one-more');
  });

  test('refuse a will anywhere but on requests at CONNECT, and run one there when its client is lost', async () => {
    const payload = JSON.stringify({ ...echo, command: 'nothing' });
    const will = (topic: string, retain = false) => ({
      will: { topic, payload: Buffer.from(payload), qos: 1 as const, retain },
    });
    expect(await refusedWith(loggedIn('ann', will('nestmtx/events/camera/1/ready')))).toBe(5);
    expect(await refusedWith(loggedIn('ann', will('nestmtx/requests', true)))).toBe(5);
    const ann = await loggedIn('ann', will('nestmtx/requests'));
    ann.mqtt.stream.destroy();
    await dispatcher.reached(1);
    expect(dispatcher.handled[0]).toMatchObject({ request: { command: 'nothing' }, principal: { id: 'ann' } });
  });

  test('do not run the will of a client that was ended for its token', async () => {
    const payload = Buffer.from(JSON.stringify({ ...echo, command: 'nothing' }));
    const ann = await loggedIn('ann', { will: { topic: 'nestmtx/requests', payload, qos: 1, retain: false } });
    const ended = closed(ann);
    authenticator.revoke('ann');
    await ended;
    await (await loggedIn('bob')).ask(echo);
    expect(dispatcher.count('nothing')).toBe(0);
  });
});

describe('the listeners', () => {
  test('cut a CONNECT of more than 64 KiB and one that is no MQTT', async () => {
    expect(await refusedWith(client({ username: 'x'.repeat(65_000), password: 'y'.repeat(10_000) }))).not.toBe(
      'let in',
    );
    const socket = connectTcp(broker.port, '127.0.0.1');
    const ended = once(socket, 'close');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await ended;
  });

  test('let in no more connections than they were told', async () => {
    await start({ maxConnections: 1 });
    const one = await client();
    expect(await refusedWith(client({ connectTimeout: 2_000 }))).not.toBe('let in');
    expect(JSON.parse(await one.ask(echo))).toHaveProperty('by');
  });

  test('end a client that keeps silent longer than it promised', async () => {
    const socket = connectTcp(broker.port, '127.0.0.1');
    const ended = once(socket, 'close');
    // CONNECT, MQTT 3.1.1, clean, keepalive 1 s, client id "k", and then nothing.
    socket.write(Buffer.from([0x10, 0x0d, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 1, 0, 1, 0x6b]));
    await once(socket, 'data');
    await ended;
  });

  test('cut a client that leaves 1 MiB unread, and nobody else waits for it', async () => {
    let cut = () => {};
    const cutting = new Promise<void>((resolve) => {
      cut = resolve;
    });
    await start({ presence: { joined: () => {}, left: (id) => id === 'slow' && cut() } });
    const [slow, fast] = [await loggedIn('ann', { clientId: 'slow' }), await loggedIn('bob')];
    for (const one of [slow, fast]) await one.mqtt.subscribeAsync('nestmtx/events/#', { qos: 0 });
    slow.mqtt.stream.unpipe();
    slow.mqtt.stream.pause();
    const payload = JSON.stringify('x'.repeat(100_000));
    // More than the buffers of two sockets hold, and 1 MiB.
    for (let index = 0; index < 200; index += 1) {
      await broker.publish(['nestmtx/events/camera/1/x'], payload, about('camera'));
      await fast.next('nestmtx/events/camera/1/x');
    }
    // Long before the time after which whoever does not read is cut.
    await Promise.race([cutting, delay(5_000).then(() => Promise.reject(new Error('still there')))]);
  });

  test('speak MQTT over WebSocket to pages of allowed origins', async () => {
    await start({ wsPort: 0, origins: ['https://app.example'] });
    const url = `ws://127.0.0.1:${broker.wsPort}`;
    const from = (origin: string) => ({ wsOptions: { headers: { origin } }, protocolVersion: 4 as const });
    const page = await TestClient.connect(url, {
      ...from('https://app.example'),
      username: 'u',
      password: 'token-ann',
    });
    clients.push(page);
    expect(JSON.parse(await page.ask(echo))).toMatchObject({ by: 'ann' });
    clients.push(await TestClient.connect(url, from(`http://127.0.0.1:${broker.wsPort}`)));
    clients.push(await TestClient.connect(url, { protocolVersion: 4 }));
    const foreign = new WebSocket(url, 'mqtt', { origin: 'https://evil.example' });
    const [error] = await once(foreign, 'error');
    expect(String(error)).toContain('401');
  });

  test('are shut when the gateway stops, after what ran is answered', async () => {
    const ann = await loggedIn('ann');
    const answer = ann.ask({ ...echo, command: 'wait' });
    await dispatcher.reached(1);
    const stopped = gateway.stop();
    dispatcher.release();
    expect(JSON.parse(await answer)).toMatchObject({ by: 'ann' });
    await stopped;
    expect(gateway.healthy()).toBe(false);
    expect(await refusedWith(client())).not.toBe('let in');
  });
});
