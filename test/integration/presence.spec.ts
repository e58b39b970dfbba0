import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { startProxy } from '../servers/proxy.ts';
import { type Gateway, PresenceCluster, type Replica } from './presence.cluster.ts';

let server: NatsServer;
let cluster: PresenceCluster;

beforeEach(async () => {
  server = await startNats();
  cluster = new PresenceCluster(server.url);
  await cluster.watch();
});
afterEach(async () => {
  await cluster.close();
  await server.stop();
});

const tick = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
/** Milliseconds until it holds. */
async function until(holds: () => boolean, ms: number, what = 'what is waited for'): Promise<number> {
  const started = performance.now();
  while (!holds()) {
    if (performance.now() - started > ms) throw new Error(`${what} did not come within ${ms} ms`);
    await tick(10);
  }
  return performance.now() - started;
}
const sizes = (...replicas: Replica[]) => replicas.map(({ replica }) => replica.index.size);
const users = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `user-${from + n}`);
const one = async <T>(values: Promise<T>[]) => Promise.all(values);

test('a user with five sessions over three gateways comes once and goes once', async () => {
  const replicas = await one([cluster.replica(), cluster.replica()]);
  const gateways = await one([cluster.gateway(), cluster.gateway(), cluster.gateway()]);
  const [a, b, c] = gateways as [Gateway, Gateway, Gateway];
  for (const [gateway, id] of [
    [a, '1'],
    [a, '2'],
    [b, '3'],
    [b, '4'],
    [c, '5'],
  ] as const)
    gateway.join('ann', id);
  await until(() => cluster.told.length > 0, 2_000);
  for (const { replica } of replicas) await until(() => replica.index.user('ann')?.sessions.size === 5, 1_000);
  a.reporter.left('1');
  a.reporter.left('2');
  b.reporter.left('3');
  await c.reporter.stop();
  await tick(2_700);
  expect(cluster.edgesOf('ann')).toBe('on');
  b.reporter.left('4');
  const ms = await until(() => cluster.told.length > 1, 5_000);
  console.info(`presence: offline ${ms.toFixed(0)} ms after the last session left, with the grace of 2 s`);
  expect(ms).toBeGreaterThan(1_700);
  await tick(500);
  expect(cluster.edgesOf('ann')).toBe('on off');
}, 20_000);

test('who is back within the grace, there or elsewhere, was never gone', async () => {
  await one([cluster.replica(), cluster.replica()]);
  const [a, b] = (await one([cluster.gateway(), cluster.gateway()])) as [Gateway, Gateway];
  a.join('ann');
  await until(() => cluster.told.length > 0, 2_000);
  for (const [from, to] of [
    [a, b],
    [b, a],
    [a, a],
    [a, b],
  ] as const) {
    from.reporter.left(`${from.name}-ann`);
    await tick(900);
    to.join('ann');
    await tick(300);
  }
  await tick(2_500);
  expect(cluster.edgesOf('ann')).toBe('on');
}, 20_000);

test('of a gateway that dies each user is told to be offline once, within 5 s', async () => {
  const replicas = await one([cluster.replica(), cluster.replica(), cluster.replica()]);
  const [a, b] = (await one([cluster.gateway(), cluster.gateway()])) as [Gateway, Gateway];
  const started = performance.now();
  for (const user of users(0, 2_000)) a.join(user);
  for (const user of users(1_000, 3_000)) b.join(user);
  await until(() => cluster.told.length >= 3_000, 10_000);
  console.info(`presence: 3,000 users told online in ${(performance.now() - started).toFixed(0)} ms`);
  expect(sizes(...replicas)).toEqual([3_000, 3_000, 3_000]);
  await tick(500);
  await a.kill();
  const ms = await until(() => cluster.told.length >= 4_000, 6_000);
  console.info(`presence: 1,000 users told offline ${ms.toFixed(0)} ms after their gateway died`);
  expect(ms).toBeLessThan(5_000);
  await tick(1_000);
  expect(cluster.told).toHaveLength(4_000);
  for (const user of users(0, 1_000)) expect(cluster.edgesOf(user)).toBe('on off');
  expect(sizes(...replicas)).toEqual([2_000, 2_000, 2_000]);
}, 30_000);

test('edges that are due while replicas die are told once by who is left', async () => {
  const [first, second, third] = (await one([cluster.replica(), cluster.replica(), cluster.replica()])) as [
    Replica,
    Replica,
    Replica,
  ];
  const gateway = await cluster.gateway();
  for (const user of users(0, 1_000)) gateway.join(user);
  await until(() => cluster.told.length >= 1_000, 5_000);
  for (const user of users(0, 1_000)) gateway.reporter.left(`${gateway.name}-${user}`);
  // Right when they are due: some are told, some are on their way, some were not begun.
  await tick(1_990);
  await first.kill();
  await until(() => cluster.told.length > 1_000, 5_000);
  await second.kill();
  const ms = await until(() => cluster.told.length >= 2_000, 10_000, `2,000 edges instead of ${cluster.told.length}`);
  console.info(`presence: 1,000 edges whole ${ms.toFixed(0)} ms after two of three replicas died`);
  await tick(500);
  expect(cluster.told).toHaveLength(2_000);
  expect(new Set(cluster.told.map(({ id }) => id)).size).toBe(2_000);
  expect(sizes(third)).toEqual([0]);
}, 30_000);

test('after every replica was killed, only what changed meanwhile is told', async () => {
  const before = await one([cluster.replica(), cluster.replica()]);
  const gateway = await cluster.gateway();
  for (const user of users(0, 500)) gateway.join(user);
  await until(() => cluster.told.length >= 500, 5_000);
  await one(before.map((replica) => replica.kill()));
  for (const user of users(0, 50)) gateway.reporter.left(`${gateway.name}-${user}`);
  for (const user of users(500, 600)) gateway.join(user);
  const started = performance.now();
  const after = await one([cluster.replica(), cluster.replica()]);
  expect(sizes(...after)).toEqual([550, 550]);
  console.info(`presence: index of 550 right ${(performance.now() - started).toFixed(0)} ms after the restart`);
  await until(() => cluster.told.length >= 650, 10_000);
  await tick(2_500);
  expect(cluster.told).toHaveLength(650);
  for (const user of users(0, 50)) expect(cluster.edgesOf(user)).toBe('on off');
  for (const user of users(50, 600)) expect(cluster.edgesOf(user)).toBe('on');
}, 30_000);

test('a replica that starts learns of 20,000 sessions with rooms while they change, in messages that NATS takes', async () => {
  const gateway = await cluster.gateway();
  for (const user of users(0, 20_000)) gateway.join(user);
  const rooms = Array.from({ length: 1_000 }, (_, n) => `${'r'.repeat(120)}-${n}`);
  for (const room of rooms) gateway.reporter.entered(`${gateway.name}-user-0`, room);
  await tick(200);
  const churn = setInterval(() => {
    const user = `user-${20_000 + Math.floor(Math.random() * 1_000)}`;
    gateway.join(user);
    gateway.reporter.left(`${gateway.name}-user-${Math.floor(Math.random() * 1_000) + 1}`);
  }, 1);
  const started = performance.now();
  const { replica } = await cluster.replica();
  const size = replica.index.size;
  console.info(
    `presence: index of ${size} sessions right ${(performance.now() - started).toFixed(0)} ms after the start`,
  );
  expect(size).toBeGreaterThan(18_000);
  clearInterval(churn);
  await tick(600);
  expect(replica.index.whole).toBe(true);
  const [session] = replica.index.user('user-0')?.sessions ?? [];
  expect(session?.rooms?.size).toBe(1_000);
}, 30_000);

test('changes that were lost with the link of a gateway are made up for', async () => {
  const { replica } = await cluster.replica();
  const proxy = await startProxy(server.port);
  const gateway = await cluster.gateway(`nats://127.0.0.1:${proxy.port}`);
  for (const user of users(0, 10)) gateway.join(user);
  await until(() => cluster.told.length >= 10, 2_000);
  proxy.cut();
  await until(() => !gateway.bus.healthy(), 2_000);
  gateway.reporter.left(`${gateway.name}-user-0`);
  gateway.join('user-10');
  await tick(300);
  proxy.restore();
  const ms = await until(() => replica.index.user('user-10') !== undefined && replica.index.size === 10, 4_000);
  console.info(`presence: right ${ms.toFixed(0)} ms after the link of a gateway came back`);
  await until(() => cluster.edgesOf('user-0') === 'on off', 4_000);
  expect(cluster.told).toHaveLength(12);
  await proxy.close();
}, 20_000);

test('a replica that is cut off, known or not, takes nobody for gone', async () => {
  const proxy = await startProxy(server.port);
  const { replica, bus } = await cluster.replica(`nats://127.0.0.1:${proxy.port}`);
  const gateway = await cluster.gateway();
  for (const user of users(0, 10)) gateway.join(user);
  await until(() => cluster.told.length >= 10, 2_000);
  // Half open: nothing comes, and nobody says so.
  proxy.stall();
  await tick(6_000);
  expect(replica.index.size).toBe(10);
  gateway.reporter.left(`${gateway.name}-user-0`);
  proxy.restore();
  await until(() => cluster.edgesOf('user-0') === 'on off', 25_000);
  expect(bus.healthy()).toBe(true);
  expect(cluster.told).toHaveLength(11);
  await proxy.close();
}, 45_000);

test('while NATS restarts nobody goes', async () => {
  const replicas = await one([cluster.replica(), cluster.replica()]);
  const gateways = await one([cluster.gateway(), cluster.gateway()]);
  gateways.forEach((gateway, n) => {
    for (const user of users(n * 500, n * 500 + 600)) gateway.join(user);
  });
  await until(() => cluster.told.length >= 1_100, 5_000);
  await server.kill('SIGKILL');
  await tick(3_000);
  // What changes while nobody can be told.
  for (const user of users(0, 100)) gateways[0]?.reporter.left(`${gateways[0].name}-${user}`);
  for (const user of users(2_000, 2_100)) gateways[1]?.join(user);
  await server.restart();
  const ms = await until(() => cluster.told.length >= 1_300, 20_000);
  console.info(`presence: right ${ms.toFixed(0)} ms after NATS came back`);
  await tick(5_000);
  expect(cluster.told).toHaveLength(1_300);
  expect(new Set(cluster.told.map(({ id }) => id)).size).toBe(1_300);
  expect(sizes(...replicas)).toEqual([1_100, 1_100]);
  for (const user of users(0, 100)) expect(cluster.edgesOf(user)).toBe('on off');
  for (const user of [...users(100, 1_100), ...users(2_000, 2_100)]) expect(cluster.edgesOf(user)).toBe('on');
}, 60_000);

test('through 20 s of users who come and go while replicas and gateways die and start, edges alternate and end right', async () => {
  const replicas = new Set(await one([cluster.replica(), cluster.replica()]));
  let gateways = await one([cluster.gateway(), cluster.gateway(), cluster.gateway()]);
  const held = new Map<Gateway, Set<string>>(gateways.map((gateway) => [gateway, new Set()]));
  const random = (below: number) => Math.floor(Math.random() * below);
  const end = performance.now() + 20_000;
  let turn = 0;
  while (performance.now() < end) {
    for (let n = 0; n < 20; n += 1) {
      const gateway = gateways[random(gateways.length)] as Gateway;
      const user = `user-${random(600)}`;
      const mine = held.get(gateway) as Set<string>;
      if (mine.delete(user)) gateway.reporter.left(`${gateway.name}-${user}`);
      else {
        mine.add(user);
        gateway.join(user);
      }
    }
    await tick(50);
    turn += 1;
    if (turn % 60 === 0) {
      const [oldest] = replicas;
      replicas.add(await cluster.replica());
      replicas.delete(oldest as Replica);
      await (turn % 120 === 0 ? (oldest as Replica).kill() : (oldest as Replica).replica.stop());
    }
    if (turn % 150 === 0) {
      const [dead, ...others] = gateways;
      await (dead as Gateway).kill();
      held.delete(dead as Gateway);
      const fresh = await cluster.gateway();
      held.set(fresh, new Set());
      gateways = [...others, fresh];
    }
  }
  await tick(7_000);
  const present = new Set([...held.values()].flatMap((set) => [...set]));
  const edges = cluster.edges();
  for (const user of users(0, 600)) {
    const told = edges.get(user) ?? [];
    expect([user, ...told]).toEqual([user, ...told.map((_, n) => (n % 2 ? 'off' : 'on'))]);
    expect([user, told.length % 2 === 1]).toEqual([user, present.has(user)]);
  }
  for (const { replica } of replicas) expect(replica.index.size).toBe(present.size);
  console.info(`presence: ${cluster.told.length} edges through deaths and starts, every one in its turn`);
}, 60_000);

describe('with PRESENCE_BROADCAST=rooms', () => {
  test('edges name the rooms, for gateways only, and only administrators hear the event', async () => {
    await cluster.close();
    cluster = new PresenceCluster(server.url, 'rooms');
    await cluster.watch();
    await one([cluster.replica(), cluster.replica()]);
    const gateway = await cluster.gateway();
    const seen: unknown[] = [];
    await gateway.bus.listen('presence.seen', (data) => seen.push(data));
    gateway.join('ann', '1');
    gateway.reporter.entered('1', 'hall');
    await until(() => cluster.told.length === 1, 2_000);
    expect(cluster.told[0]).toMatchObject({ rooms: ['hall'], hearers: { kind: 'admins' } });
    expect(Object.keys(cluster.told[0]?.body.details ?? {})).toEqual(['id', 'username', 'email']);
    gateway.reporter.entered('1', 'kitchen');
    await until(() => seen.length === 1, 1_000);
    expect(seen).toEqual([
      { user: { id: 'ann', username: 'ann', email: null }, rooms: ['kitchen'], at: expect.any(String) },
    ]);
    gateway.reporter.exited('1', 'hall');
    gateway.reporter.left('1');
    await until(() => cluster.told.length === 2, 4_000);
    expect(cluster.told[1]?.rooms).toEqual(['kitchen']);
  });
});
