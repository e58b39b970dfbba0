import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { startProxy } from '../servers/proxy.ts';
import { httpRequest } from '../system/clients/http.client.ts';
import { mqttClient } from '../system/clients/mqtt.client.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { eventually } from '../system/clients/wait.ts';
import type { ProductProcess } from '../system/process.ts';
import { type PresenceSystem, startPresenceSystem } from './presence.system.ts';

interface Person {
  id: string;
  username: string;
  token: string;
}

let system: PresenceSystem;
let http: string;
const sockets: Socket[] = [];

beforeAll(async () => {
  system = await startPresenceSystem();
  http = system.httpUrls[0] as string;
}, 90_000);
afterAll(() => system?.stop(), 60_000);
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.disconnect();
});

const tick = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const secondsSince = (started: number) => ((performance.now() - started) / 1_000).toFixed(2);
const processOf = (name: string) => system.processes[name] as ProductProcess;
const url = (gateway: number) => system.socketioUrls[gateway - 1] as string;

async function api<T>(method: string, path: string, json?: unknown, token?: string): Promise<T> {
  const { status, body } = await httpRequest(`${http}/api/${path}`, {
    method,
    headers: token === undefined ? { 'x-api-key': system.apiKey } : { authorization: `Bearer ${token}` },
    ...(json !== undefined && { json }),
  });
  if (status >= 400) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
  return body as T;
}

let count = 0;
const password = 's3cret-of-somebody';
const login = async (username: string): Promise<string> =>
  (await api<{ bearer: string }>('POST', 'auth', { username, password })).bearer;
async function person(): Promise<Person> {
  count += 1;
  const username = `person-${count}`;
  const { id } = await api<{ id: string }>('POST', 'users', { username, password });
  return { id, username, token: await login(username) };
}
const people = (number: number) => Promise.all(Array.from({ length: number }, person));

async function connect({ token }: Person, gateway: number): Promise<Socket> {
  const socket = await openSocket(url(gateway), token);
  sockets.push(socket);
  return socket;
}

/** What a client on a gateway is told of some people: `+person-1`, `-person-1`, with the milliseconds (performance.now()). */
async function watch(gateway: number, about: readonly Person[]) {
  const [observer] = await people(1);
  const socket = await connect(observer as Person, gateway);
  const told: { what: string; at: number }[] = [];
  const names = new Set(about.map(({ username }) => username));
  const hear = (sign: string) => (data: { user: { username: string } }) => {
    if (names.has(data.user.username)) told.push({ what: sign + data.user.username, at: performance.now() });
  };
  socket.on('user_online', hear('+'));
  socket.on('user_offline', hear('-'));
  return {
    told: () => told.map(({ what }) => what),
    until: (number: number, ms: number) =>
      eventually(
        async () => told.map(({ what }) => what),
        (all) => all.length >= number,
        ms,
      ),
    last: () => told.at(-1)?.at ?? 0,
  };
}
const signed = (sign: string, about: readonly Person[]) => about.map(({ username }) => sign + username).sort();
/** Undefined while nobody can say. */
const isOnline = ({ id }: Person) =>
  api<{ online: boolean }>('GET', `presence/${id}`).then(
    ({ online }) => online,
    () => undefined,
  );
/** Calls go to the presence processes in turn: each has to say so. */
const agreed = (who: Person, online: boolean, ms: number) =>
  eventually(
    () => Promise.all([isOnline(who), isOnline(who), isOnline(who), isOnline(who)]),
    (all) => all.every((one) => one === online),
    ms,
  );

describe('who is online', () => {
  test('is told once for five sockets over two gateways', async () => {
    const [ann] = (await people(1)) as [Person];
    const watcher = await watch(3, [ann]);
    const five = await Promise.all([1, 1, 1, 2, 2].map((gateway) => connect(ann, gateway)));
    await watcher.until(1, 3_000);
    const { sessions } = await api<{ sessions: object[] }>('GET', `presence/${ann.id}`);
    expect(sessions).toHaveLength(5);
    for (const socket of five.slice(1)) socket.disconnect();
    await tick(3_000);
    expect(watcher.told()).toEqual([`+${ann.username}`]);
    const gone = performance.now();
    five[0]?.disconnect();
    expect(await watcher.until(2, 5_000)).toEqual([`+${ann.username}`, `-${ann.username}`]);
    console.info(`presence: user_offline ${secondsSince(gone)} s after the last of five sockets closed`);
  }, 20_000);

  test('does not flap with a client that reconnects', async () => {
    const [ann] = (await people(1)) as [Person];
    const watcher = await watch(3, [ann]);
    for (let n = 0; n < 8; n += 1) {
      const socket = await connect(ann, (n % 2) + 1);
      await tick(300);
      socket.disconnect();
      await tick(700);
    }
    await watcher.until(2, 6_000);
    await tick(1_000);
    expect(watcher.told()).toEqual([`+${ann.username}`, `-${ann.username}`]);
  }, 30_000);

  test('is right within 5 s after a gateway was killed', async () => {
    const [ann, bob, ...many] = (await people(22)) as [Person, Person, ...Person[]];
    const watcher = await watch(3, [ann, bob, ...many]);
    await Promise.all([...many, ann, bob].map((one) => connect(one, 1)));
    await connect(bob, 2);
    await watcher.until(22, 5_000);
    const killed = performance.now();
    await processOf('socketio-1').kill('SIGKILL');
    await watcher.until(22 + 21, 7_000);
    const ms = watcher.last() - killed;
    console.info(`presence: 21 users offline ${(ms / 1_000).toFixed(2)} s after SIGKILL of their gateway`);
    expect(ms).toBeLessThan(5_000);
    await agreed(ann, false, 500);
    await agreed(bob, true, 500);
    await processOf('socketio-1').restart();
    await tick(1_000);
    expect(watcher.told().slice(22).sort()).toEqual(signed('-', [ann, ...many]));
  }, 60_000);

  test('does not change when a client goes on to another gateway after its own was killed', async () => {
    const [ann] = (await people(1)) as [Person];
    const watcher = await watch(3, [ann]);
    await connect(ann, 2);
    await watcher.until(1, 3_000);
    await processOf('socketio-2').kill('SIGKILL');
    await tick(1_500);
    await connect(ann, 1);
    await tick(5_500);
    expect(watcher.told()).toEqual([`+${ann.username}`]);
    await processOf('socketio-2').restart();
  }, 60_000);

  test.each(['socketio-1', 'presence-1', 'presence-2'])(
    'does not change while %s stands still for 3 s',
    async (name) => {
      const [ann, bob] = (await people(2)) as [Person, Person];
      const watcher = await watch(3, [ann, bob]);
      await connect(ann, 1);
      const elsewhere = await connect(bob, 2);
      await watcher.until(2, 3_000);
      await processOf(name).kill('SIGSTOP');
      await tick(500);
      // Goes and comes meanwhile: a replica that wakes up must not tell what is long over.
      elsewhere.disconnect();
      await tick(1_000);
      await connect(bob, 2);
      await tick(1_500);
      await processOf(name).kill('SIGCONT');
      await tick(5_500);
      expect(watcher.told().sort()).toEqual(signed('+', [ann, bob]));
      await agreed(ann, true, 2_000);
      await agreed(bob, true, 2_000);
    },
    40_000,
  );

  test('is known again after every presence process was killed, and nobody is told what did not change', async () => {
    const [ann, bob, cid] = (await people(3)) as [Person, Person, Person];
    const watcher = await watch(3, [ann, bob, cid]);
    await connect(ann, 1);
    const leaving = await connect(bob, 2);
    await watcher.until(2, 3_000);
    const both = ['presence-1', 'presence-2'].map(processOf);
    await Promise.all(both.map((one) => one.kill('SIGKILL')));
    leaving.disconnect();
    await connect(cid, 2);
    await tick(3_000);
    const started = performance.now();
    await Promise.all(both.map((one) => one.restart()));
    const ready = secondsSince(started);
    await agreed(ann, true, 5_000);
    await agreed(bob, false, 5_000);
    await agreed(cid, true, 5_000);
    console.info(
      `presence: index right ${secondsSince(started)} s after both processes started (ready after ${ready} s)`,
    );
    await watcher.until(4, 10_000);
    await tick(3_000);
    expect(watcher.told().slice(2).sort()).toEqual([`+${cid.username}`, `-${bob.username}`].sort());
  }, 60_000);

  test('is right after NATS was killed and came back, and told once', async () => {
    const [ann, bob, cid] = (await people(3)) as [Person, Person, Person];
    const watcher = await watch(3, [ann, bob, cid]);
    await connect(ann, 1);
    const leaving = await connect(bob, 2);
    const [token] = [cid.token];
    await watcher.until(2, 3_000);
    await system.nats.kill('SIGKILL');
    leaving.disconnect();
    await tick(3_000);
    await system.nats.restart();
    const back = performance.now();
    await watcher.until(3, 20_000);
    console.info(`presence: user_offline ${secondsSince(back)} s after NATS came back`);
    await eventually(
      () =>
        connect({ ...cid, token }, 1).then(
          () => true,
          () => false,
        ),
      Boolean,
      10_000,
    );
    await watcher.until(4, 10_000);
    await tick(5_000);
    // In order per user; that of different users is anybody's.
    const expected = [...signed('+', [ann, bob]), `-${bob.username}`, `+${cid.username}`];
    expect(watcher.told().sort()).toEqual(expected.sort());
    await agreed(ann, true, 2_000);
    await agreed(bob, false, 2_000);
  }, 60_000);
});

describe('a token that ends', () => {
  const admin = (path: string, json: unknown) => api('PATCH', path, json);
  test.each([
    ['log out', (one: Person) => api('DELETE', 'auth', undefined, one.token)],
    ['a new password', (one: Person) => admin(`users/${one.id}`, { password: 's3cret-new' })],
    ['can_login false', (one: Person) => admin(`users/${one.id}`, { can_login: false })],
    ['a lost role', (one: Person) => admin(`users/${one.id}`, { roles: ['user'] })],
    ['deletion', (one: Person) => api('DELETE', `users/${one.id}`)],
  ])(
    'by %s ends the sockets on every gateway within 2 s, and requests over MQTT and HTTP',
    async (what, act) => {
      const [one] = (await people(1)) as [Person];
      if (what === 'a lost role') {
        await admin(`users/${one.id}`, { roles: ['admin', 'user'] });
        one.token = await login(one.username);
      }
      const three = await Promise.all([1, 2, 3].map((gateway) => connect(one, gateway)));
      const mqtt = mqttClient(system.mqttUrls[0] as string);
      const ask = () => mqtt.request({ module: 'rooms', command: 'list' }, one.token);
      expect(await ask()).toHaveProperty('ok');
      const ended = Promise.all(
        three.map(
          (socket) => new Promise<number>((resolve) => socket.once('disconnect', () => resolve(performance.now()))),
        ),
      );
      const started = performance.now();
      await act(one);
      const last = Math.max(...(await ended)) - started;
      const refused = await eventually(ask, (answer) => 'error' in answer, 2_000);
      const mqttMs = performance.now() - started;
      await mqtt.close();
      expect(refused).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
      await expect(api('GET', 'auth', undefined, one.token)).rejects.toThrow('401');
      await expect(openSocket(url(2), one.token)).rejects.toMatchObject({ data: { code: 'UNAUTHORIZED' } });
      console.info(`revocation by ${what}: sockets on 3 gateways ${last.toFixed(0)} ms, MQTT ${mqttMs.toFixed(0)} ms`);
      expect([last < 2_000, mqttMs < 2_000]).toEqual([true, true]);
    },
    20_000,
  );

  test('by the deletion of an API key is refused within 2 s', async () => {
    const { id, key } = await api<{ id: string; key: string }>('POST', 'api-keys', { name: 'short-lived' });
    const ask = () => httpRequest(`${http}/api/rooms`, { headers: { 'x-api-key': key } });
    expect((await ask()).status).toBe(200);
    await api('DELETE', `api-keys/${id}`);
    const started = performance.now();
    const { body } = await eventually(ask, ({ status }) => status === 401, 2_000);
    expect(body).toMatchObject({ code: 'INVALID_API_KEY' });
    console.info(`revocation of an API key: ${(performance.now() - started).toFixed(0)} ms`);
  });
});

test('a gateway that was cut off when a user was revoked ends the sockets within 2 s of being back', async () => {
  const [one, other] = (await people(2)) as [Person, Person];
  const proxy = await startProxy(system.nats.port);
  const alone = await system.gateway(`nats://127.0.0.1:${proxy.port}`);
  try {
    const socket = await openSocket(alone.operatorUrl, one.token);
    const staying = await openSocket(alone.operatorUrl, other.token);
    sockets.push(socket, staying);
    proxy.cut();
    await tick(500);
    await api('DELETE', 'auth', undefined, one.token);
    await tick(4_500);
    expect(socket.connected).toBe(true);
    const ended = new Promise<void>((resolve) => socket.once('disconnect', () => resolve()));
    proxy.restore();
    const back = performance.now();
    await ended;
    console.info(`revocation behind a cut: socket ended ${secondsSince(back)} s after the link was restored`);
    expect(performance.now() - back).toBeLessThan(3_000);
    expect(staying.connected).toBe(true);
  } finally {
    await alone.stop();
    await proxy.close();
  }
}, 40_000);
