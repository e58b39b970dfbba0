import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import type { Socket } from 'socket.io-client';
import { type Person, Stage } from '../conformance/stage.ts';
import { cleanUp } from '../servers/clean-up.ts';
import { openMqtt } from '../system/clients/mqtt.client.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { within } from '../system/clients/wait.ts';
import { type Distributed, startDistributed } from '../system/distributed.ts';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

/** A connection ends this many milliseconds, at most, after what let it in did. */
const endsWithin = 2_000;
const secret = randomBytes(32).toString('base64url');

let distributed: Distributed;
let one: System;
let stage: Stage;
let oneStage: Stage;
const later = cleanUp();

beforeAll(async () => {
  [distributed, one] = await Promise.all([
    startDistributed({ JWT_SECRET: secret }, { http: 1, socketio: 2, mqtt: 0 }, ['socketio-2']),
    startOneProcess(),
  ]);
  [stage, oneStage] = [await Stage.open('http', distributed), await Stage.open('http', one)];
}, 60_000);
afterAll(async () => {
  await Promise.all([distributed?.stop(), one?.stop()]);
}, 30_000);
async function socketOn(url: string, token: string): Promise<Socket> {
  const socket = await openSocket(url, token);
  later(() => socket.disconnect());
  return socket;
}
const ended = (socket: Socket) =>
  within(new Promise((resolve) => socket.once('disconnect', resolve)), 'the end of a socket', endsWithin);

const ways: [how: string, revoke: (person: Person) => Promise<unknown>][] = [
  ['logs out', (person) => stage.ok({ module: 'auth', command: 'delete' }, person)],
  ['is deleted', ({ id }) => stage.operator({ module: 'users', command: 'delete', entity: id })],
  [
    'may not log in any more',
    ({ id }) => stage.operator({ module: 'users', command: 'update', entity: id, payload: { can_login: false } }),
  ],
];

test.each(ways)('every socket of a user who %s ends, on every gateway, and nobody else’s', async (_how, revoke) => {
  const [person, other] = [await stage.person(), await stage.person()];
  const sockets = await Promise.all(distributed.socketioUrls.map((url) => socketOn(url, person.token)));
  const staying = await socketOn(distributed.socketioUrls[0] as string, other.token);
  const ends = Promise.all(sockets.map(ended));
  await revoke(person);
  expect(await ends).toEqual(['io server disconnect', 'io server disconnect']);
  for (const url of distributed.socketioUrls) {
    await expect(openSocket(url, person.token)).rejects.toMatchObject({ data: { code: 'UNAUTHORIZED' } });
  }
  expect(staying.connected).toBe(true);
});

test('a gateway that was cut off while a user logged out ends the sockets when it is back', async () => {
  const [person, other] = [await stage.person(), await stage.person()];
  const url = distributed.socketioUrls[1] as string;
  const [socket, staying] = [await socketOn(url, person.token), await socketOn(url, other.token)];
  const end = within(new Promise((resolve) => socket.once('disconnect', resolve)), 'the end of the socket', 20_000);
  distributed.natsLink.cut();
  await stage.ok({ module: 'auth', command: 'delete' }, person);
  expect(socket.connected).toBe(true);
  distributed.natsLink.restore();
  expect(await end).toBe('io server disconnect');
  expect(staying.connected).toBe(true);
});

test('a gateway that was cut off while a user became an administrator follows when it is back', async () => {
  const person = await stage.person();
  const socket = await socketOn(distributed.socketioUrls[1] as string, person.token);
  const heard = new Promise((resolve) => socket.once('note:made', resolve));
  distributed.natsLink.cut();
  const promotion = { module: 'users', command: 'update', entity: person.id, payload: { roles: ['admin', 'user'] } };
  await stage.operator(promotion).finally(() => distributed.natsLink.restore());
  const posting = setInterval(() => {
    void fetch(`${distributed.httpUrls[0]}/note:made`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': distributed.apiKey },
      body: JSON.stringify({ payload: { n: 1 }, rooms: ['admin'] }),
    });
  }, 500);
  later(() => clearInterval(posting));
  // Before the check of everybody, which comes every half minute.
  expect(await within(heard, 'an event for administrators', 20_000)).toEqual({ n: 1 });
}, 30_000);

test('a socket ends with its token’s time', async () => {
  const person = await stage.person();
  const claims = jwt.decode(person.token) as jwt.JwtPayload;
  const exp = Math.floor(Date.now() / 1_000) + 2;
  const socket = await socketOn(distributed.socketioUrls[0] as string, jwt.sign({ ...claims, exp }, secret));
  await within(new Promise((resolve) => socket.once('disconnect', resolve)), 'the end of a socket', 2_000 + endsWithin);
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1_000);
});

test('an MQTT connection that logged in with its bearer ends when the user logs out', async () => {
  const person = await oneStage.person();
  const client = await openMqtt(one.mqttUrls[0] as string, { username: 'x', password: person.token });
  later(() => client.endAsync(true));
  const closed = new Promise((resolve) => client.once('close', () => resolve('closed')));
  await oneStage.ok({ module: 'auth', command: 'delete' }, person);
  expect(await within(closed, 'the end of the connection', endsWithin)).toBe('closed');
  await expect(openMqtt(one.mqttUrls[0] as string, { username: 'x', password: person.token })).rejects.toThrow();
});

test('who logs out over MQTT, logged in with the bearer, is answered first', async () => {
  const person = await oneStage.person();
  const client = await openMqtt(one.mqttUrls[0] as string, { username: 'x', password: person.token });
  later(() => client.endAsync(true));
  await client.subscribeAsync('nestmtx/responses/bye', { qos: 1 });
  const answered = new Promise((resolve) => client.once('message', (topic) => resolve(topic)));
  const closed = new Promise((resolve) => client.once('close', () => resolve('closed')));
  const request = { module: 'auth', command: 'delete', requestId: 'bye' };
  client.publish('nestmtx/requests', JSON.stringify(request), { qos: 1 }, () => {});
  expect(await within(Promise.race([answered, closed]), 'the answer', 5_000)).toBe('nestmtx/responses/bye');
  expect(await within(closed, 'the end of the connection', endsWithin)).toBe('closed');
});
