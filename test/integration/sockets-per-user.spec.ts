import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { type Person, Stage } from '../conformance/stage.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { eventually } from '../system/clients/wait.ts';
import { type Distributed, startDistributed } from '../system/distributed.ts';

const most = 4;
/** Milliseconds after which the sockets of a gateway that vanished count no more. */
const goneWithin = 5_000;

let system: Distributed;
let stage: Stage;
const sockets: Socket[] = [];

beforeAll(async () => {
  const scale = { http: 1, socketio: 2, mqtt: 0 };
  system = await startDistributed({ SOCKETS_PER_USER: `${most}` }, scale, ['socketio-2']);
  stage = await Stage.open('http', system);
}, 60_000);
afterAll(() => system?.stop(), 30_000);
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.disconnect();
});

async function sit({ token }: Person, gateway: number): Promise<Socket> {
  const socket = await openSocket(system.socketioUrls[gateway] as string, token);
  sockets.push(socket);
  return socket;
}
/** Whether one more gets in; it leaves again. */
const getsIn = (person: Person, gateway: number): Promise<boolean> =>
  sit(person, gateway).then(
    (socket) => socket.disconnect() && true,
    (error: Error & { data?: { code: string } }) => {
      if (error.data?.code !== 'LIMIT_EXCEEDED') throw error;
      return false;
    },
  );
const soon = (person: Person, gateway: number, wanted: boolean, ms = 2_000) =>
  eventually(
    () => getsIn(person, gateway),
    (found) => found === wanted,
    ms,
  );
const fill = (person: Person, gateway: number, count = most) =>
  Promise.all(Array.from({ length: count }, () => sit(person, gateway)));

test('a user has so many connections over all gateways, one after another exactly', async () => {
  const person = await stage.person();
  const [first] = await fill(person, 0);
  await soon(person, 1, false);
  (first as Socket).disconnect();
  await soon(person, 1, true);
  await sit(person, 1);
  await soon(person, 0, false);
  expect(await getsIn(person, 1)).toBe(false);
  expect(await getsIn(await stage.person(), 1)).toBe(true);
});

test('those at a gateway that is killed count for five seconds at most, and it hears of the others when it is back', async () => {
  const person = await stage.person();
  await fill(person, 1);
  await soon(person, 0, false);
  const began = performance.now();
  await system.processes['socketio-2']?.kill('SIGKILL');
  await soon(person, 0, true, goneWithin);
  console.info(`sockets of a killed gateway counted for ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  await fill(person, 0);
  await system.processes['socketio-2']?.restart();
  await soon(person, 1, false);
}, 60_000);

test('a gateway that hears no other counts its own, lets people in without waiting, and counts all when it hears them', async () => {
  const person = await stage.person();
  await sit(person, 1);
  await fill(person, 0, most - 1);
  await soon(person, 1, false);
  system.natsLink.cut();
  const began = performance.now();
  await soon(person, 1, true, goneWithin);
  console.info(`cut off, a gateway let one more in after ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  system.natsLink.restore();
  await soon(person, 1, false, goneWithin);
}, 60_000);
