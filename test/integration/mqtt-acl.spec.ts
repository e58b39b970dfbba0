import { globSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { IClientOptions } from 'mqtt';
import { mayPublish, maySubscribe } from '../../gateways/core/mqtt-acl.rules.ts';
import { externalBroker } from '../../gateways/mqtt/external.broker.ts';
import { type MqttGateway, startMqttGateway } from '../../gateways/mqtt/mqtt.gateway.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { anonymous, type Principal } from '../../shared/runtime/principal.ts';
import { type MosquittoServer, startMosquitto } from '../servers/mosquitto.ts';
import { principal, StandInAuthenticator, StandInDispatcher, TestClient } from './mqtt.stand-ins.ts';

/** The files under docs/mqtt, in a real Mosquitto, compared with the rules of our own broker. */
const docs = new URL('../../docs/mqtt/', import.meta.url);
const passwords = {
  'trigate-gateway': 'gateway-password',
  ann: 'ann-password',
  root: 'root-password',
  stray: 'stray-password',
};
const rules = { base: 'nestmtx', anonymous: 'events' } as const;

let directory: string;
let mosquitto: MosquittoServer;
let gateway: MqttGateway;
const clients: TestClient[] = [];

async function client(options: IClientOptions = {}): Promise<TestClient> {
  const made = await TestClient.connect(mosquitto.url, { protocolVersion: 5, ...options });
  clients.push(made);
  return made;
}
const loggedIn = (username: keyof typeof passwords, options: IClientOptions = {}) =>
  client({ username, password: passwords[username], ...options });

/** mosquitto.conf as it is shipped, with the paths of this machine and without what `startMosquitto` sets itself. */
async function documentedLines(dynsecFile: string): Promise<string[]> {
  const [plugin] = globSync('/usr/lib/{*/,}mosquitto_dynamic_security.so');
  const own = /^(listener|allow_anonymous|password_file|persistence|persistence_location) /;
  return (await readFile(new URL('mosquitto.conf', docs), 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !own.test(line))
    .map((line) => line.replace(/^plugin .*/, `plugin ${plugin}`))
    .map((line) => line.replace(/^plugin_opt_config_file .*/, `plugin_opt_config_file ${dynsecFile}`));
}

async function startGateway(): Promise<void> {
  const broker = externalBroker({
    url: mosquitto.url,
    username: 'trigate-gateway',
    password: passwords['trigate-gateway'],
    baseTopic: 'nestmtx',
    log: silentLog,
  });
  gateway = await startMqttGateway({
    broker,
    dispatcher: new StandInDispatcher(),
    authenticator: new StandInAuthenticator(),
    bus: memoryBus(),
    log: silentLog,
    config: { baseTopic: 'nestmtx', eventTopics: 'both', isOpen: true },
  });
}

const granted = (one: TestClient, filter: string): Promise<boolean> =>
  one.mqtt.subscribeAsync(filter, { qos: 1 }).then(
    () => true,
    () => false,
  );
const published = (one: TestClient, topic: string): Promise<boolean> =>
  one.mqtt.publishAsync(topic, '{}', { qos: 1 }).then(
    () => true,
    () => false,
  );

afterEach(async () => {
  await Promise.all(clients.splice(0).map((one) => one.end()));
});

describe('Mosquitto with mosquitto-dynsec.json', () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'trigate-dynsec-'));
    const file = join(directory, 'dynsec.json');
    const config = JSON.parse(await readFile(new URL('mosquitto-dynsec.json', docs), 'utf8'));
    const roles = (...names: string[]) => names.map((rolename) => ({ rolename }));
    config.clients.push({ username: 'ann', roles: roles('trigate-client', 'trigate-user') });
    config.clients.push({ username: 'root', roles: roles('trigate-client', 'trigate-admin') });
    await writeFile(file, JSON.stringify(config));
    mosquitto = await startMosquitto({ passwords, anonymous: true, lines: await documentedLines(file) });
    await startGateway();
  });
  afterAll(async () => {
    await gateway.stop();
    await mosquitto.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const filters = [
    'nestmtx/responses/r1',
    'nestmtx/responses/+',
    'nestmtx/responses/#',
    'nestmtx/responses/r1/#',
    'nestmtx/+/r1',
    '+/responses/r1',
    '+/+/+',
    'nestmtx/+',
    'nestmtx/#',
    '/nestmtx/#',
    '#',
    '+/#',
    'nestmtx/requests',
    'nestmtx/requests/#',
    '$share/g/nestmtx/requests',
    '$share/g/nestmtx/responses/r1',
    '$share/g/nestmtx/responses/+',
    '$SYS/#',
    'nestmtx/failures',
    'nestmtx/events/camera/#',
    '/nestmtx/events/camera/+/ready',
    'nestmtx/stream/credentials/+',
    '/nestmtx/stream/credentials/authenticated',
    'nestmtx/events/presence/#',
    '/nestmtx/stream/streams/started',
    'nestmtx/events/users/#',
    'nestmtx/events/rooms/+/created',
    'nestmtx/events/+/1/created',
    'nestmtx/events/#',
    '/nestmtx/stream/#',
  ];
  const callers: [name: string, user: keyof typeof passwords | undefined, who: Principal][] = [
    ['an anonymous client', undefined, anonymous],
    ['a user', 'ann', principal('ann')],
    ['an administrator', 'root', principal('root', 'admin', 'user')],
  ];

  test.each(callers)('grants %s the subscriptions that our own rules grant, and no others', async (_, user, who) => {
    const one = user ? await loggedIn(user) : await client();
    for (const filter of filters) {
      expect([filter, await granted(one, filter)]).toEqual([filter, maySubscribe(who, filter, rules)]);
    }
  });

  test.each(callers)('lets %s publish requests alone', async (_, user, who) => {
    const one = user ? await loggedIn(user) : await client();
    for (const topic of ['requests', 'responses/r1', 'failures', 'events/camera/1/x', 'stream/camera/x', 'x']) {
      for (const full of [`nestmtx/${topic}`, `/nestmtx/${topic}`]) {
        expect([full, await published(one, full)]).toEqual([full, mayPublish(who, full, rules)]);
      }
    }
  });

  test('lets a login that has no place in it do nothing', async () => {
    const stray = await loggedIn('stray');
    for (const filter of filters) expect([filter, await granted(stray, filter)]).toEqual([filter, false]);
    expect(await published(stray, 'nestmtx/requests')).toBe(false);
  });

  test('lets a client ask as in seed 001 and nobody else read the answer', async () => {
    const [one, eve] = [await client(), await loggedIn('root')];
    for (const filter of ['#', 'nestmtx/#', 'nestmtx/responses/#', 'nestmtx/responses/+']) await granted(eve, filter);
    const request = { command: 'echo', module: 'users', requestId: 'unique-request-id', token: 'token-ann' };
    expect(JSON.parse(await one.ask(request))).toMatchObject({ by: 'ann' });
    await eve.ask({ ...request, requestId: 'fence' });
    expect(eve.heard).toEqual([]);
  });
});

describe('Mosquitto with mosquitto.acl', () => {
  beforeAll(async () => {
    const aclFile = new URL('mosquitto.acl', docs).pathname;
    mosquitto = await startMosquitto({ passwords, anonymous: true, aclFile });
    await startGateway();
  });
  afterAll(async () => {
    await gateway.stop();
    await mosquitto.stop();
  });

  const request = { command: 'echo', module: 'users', token: 'token-ann' };

  test('gives each client its own answers, and a wildcard nothing of others', async () => {
    const eve = await client({ clientId: 'eve-1' });
    await eve.mqtt.subscribeAsync(['#', 'nestmtx/#', 'nestmtx/responses/+', 'nestmtx/replies/#'], { qos: 1 });
    const one = await client({ clientId: 'ann-1' });
    expect(JSON.parse(await one.ask({ ...request, requestId: 'ann-1' }))).toMatchObject({ by: 'ann' });

    await one.mqtt.subscribeAsync('nestmtx/replies/ann-1/#', { qos: 1 });
    const properties = { responseTopic: 'nestmtx/replies/ann-1/7', correlationData: Buffer.from('7') };
    await one.mqtt.publishAsync('nestmtx/requests', JSON.stringify(request), { qos: 1, properties });
    expect(JSON.parse((await one.next('nestmtx/replies/ann-1/7')).text)).toMatchObject({ by: 'ann' });

    await eve.mqtt.publishAsync('nestmtx/requests', JSON.stringify({ ...request, requestId: 'eve-1' }), { qos: 1 });
    expect((await eve.next()).topic).toBe('nestmtx/responses/eve-1');
  });

  test('lets nobody but the gateway publish what gateways publish, or hear what others ask', async () => {
    const [one, eve] = [await client({ clientId: 'ann-1' }), await loggedIn('root', { clientId: 'eve-1' })];
    await eve.mqtt.subscribeAsync(['#', '/#', 'nestmtx/requests'], { qos: 1 });
    for (const topic of ['nestmtx/responses/eve-1', 'nestmtx/events/camera/1/x', '/nestmtx/stream/camera/x']) {
      expect([topic, await published(one, topic)]).toEqual([topic, false]);
    }
    await one.ask({ ...request, requestId: 'ann-1' });
    await eve.mqtt.publishAsync('nestmtx/requests', JSON.stringify({ ...request, requestId: 'eve-1' }), { qos: 1 });
    expect((await eve.next()).topic).toBe('nestmtx/responses/eve-1');
    expect(eve.heard).toEqual([]);
  });
});

test('what emqx-acl.conf refuses is refused by our own rules too, which EMQX asks about the rest', async () => {
  const text = await readFile(new URL('emqx-acl.conf', docs), 'utf8');
  const refusals = [...text.matchAll(/^\{deny, all, (\w+), \[(.*)\]\}\.$/gm)];
  const admin = principal('root', 'admin', 'user');
  expect(refusals.length).toBeGreaterThan(0);
  for (const [, action, list = ''] of refusals) {
    for (const [, topic = ''] of list.matchAll(/"([^"]+)"/g)) {
      const may = action === 'publish' ? mayPublish : maySubscribe;
      expect([action, topic, may(admin, topic, rules)]).toEqual([action, topic, false]);
    }
  }
});
