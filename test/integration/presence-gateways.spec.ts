import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Person, Stage } from '../conformance/stage.ts';
import { cleanUp } from '../servers/clean-up.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { eventually } from '../system/clients/wait.ts';
import { type Distributed, startDistributed } from '../system/distributed.ts';

/** Milliseconds after which the sessions of a gateway that vanished are gone. */
const goneWithin = 5_000;
const noticedWithin = 2_000;

let system: Distributed;
let stage: Stage;
const later = cleanUp();

beforeAll(async () => {
  system = await startDistributed({}, { http: 1, socketio: 2, mqtt: 0 });
  stage = await Stage.open('http', system);
}, 60_000);
afterAll(() => system?.stop(), 30_000);
/** Connects a person to a gateway, by its place. */
async function sit(person: Person, gateway: number) {
  const socket = await openSocket(system.socketioUrls[gateway] as string, person.token);
  later(() => socket.disconnect());
  return socket;
}

interface Presence {
  online: boolean;
  sessions: object[];
}
const sessionsOf = async ({ id }: Person): Promise<number> => {
  const ask = { module: 'presence', command: 'read', entity: id };
  const { online, sessions } = await stage.ok<Presence>(ask, 'user');
  expect(online).toBe(sessions.length > 0);
  return sessions.length;
};
const reaches = (person: Person, count: number, ms: number) =>
  eventually(
    () => sessionsOf(person),
    (found) => found === count,
    ms,
  );

test('the sessions of a user are counted over all gateways', async () => {
  const person = await stage.person();
  const sockets = [await sit(person, 0), await sit(person, 1), await sit(person, 1)];
  await reaches(person, 3, noticedWithin);
  const search = { payload: { search: person.username } };
  expect(await stage.ok({ module: 'presence', command: 'list', ...search }, 'user')).toMatchObject({
    items: [{ id: person.id, username: person.username, sessions: 3 }],
    total: 1,
  });
  for (const [index, socket] of sockets.entries()) {
    socket.disconnect();
    await reaches(person, 2 - index, noticedWithin);
  }
});

test('the sessions of a gateway that is killed are gone within five seconds, those of others stay', async () => {
  const [one, other] = [await stage.person(), await stage.person()];
  await sit(one, 1);
  await sit(other, 0);
  await sit(other, 1);
  await reaches(one, 1, noticedWithin);
  await reaches(other, 2, noticedWithin);
  await system.processes['socketio-2']?.kill('SIGKILL');
  await reaches(one, 0, goneWithin);
  await reaches(other, 1, goneWithin);
  await system.processes['socketio-2']?.restart();
}, 60_000);

test('a gateway that stalls for three seconds keeps its sessions', async () => {
  const person = await stage.person();
  await sit(person, 1);
  await reaches(person, 1, noticedWithin);
  await system.processes['socketio-2']?.kill('SIGSTOP');
  await delay(3_000);
  expect(await sessionsOf(person)).toBe(1);
  await system.processes['socketio-2']?.kill('SIGCONT');
  await delay(1_500);
  expect(await sessionsOf(person)).toBe(1);
}, 60_000);

test('a presence service that was killed learns again who is online', async () => {
  const person = await stage.person();
  await sit(person, 0);
  await sit(person, 1);
  await reaches(person, 2, noticedWithin);
  await system.processes['services-2']?.kill('SIGKILL');
  await system.processes['services-2']?.restart();
  const count = () => sessionsOf(person).catch(() => -1);
  await eventually(count, (found) => found === 2, goneWithin);
}, 60_000);
