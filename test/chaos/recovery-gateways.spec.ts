import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { connect, millis } from 'nats';
import { socketsPrefix } from '../../gateways/socketio/cluster.adapter.ts';
import { fanoutNames } from '../../shared/fanout/adapter/names.ts';
import { next } from '../integration/seeds/cast.ts';
import { calmly } from '../system/calm.ts';
import { eventually, within } from '../system/clients/wait.ts';
import { Wanderer } from './recovery.client.ts';
import { judge, sum } from './recovery.rules.ts';
import { comeBack, GatewayStage, sleep, until } from './recovery.stage.ts';

/** Sessions over three gateways of the product. */
const stage = GatewayStage.use();
const clean = { missing: 0, twice: 0, disordered: 0 };
const findings = (all: readonly number[]) =>
  sum(stage.clients.flatMap(({ lives }) => lives.map((life) => judge(life, all))));

test('sessions that come back 300 times, half to another gateway, miss nothing and hear nothing twice', async () => {
  await stage.gather(12);
  const stop = await stage.numbers();
  const took: number[] = [];
  await Promise.all(stage.clients.map((client) => client.wander(stage.urls, 25, (ms) => took.push(ms))));
  const all = await stop();
  await stage.heardLast(all.at(-1) as number, 10_000);
  const found = findings(all);
  took.sort((a, b) => a - b);
  const ms = (share: number) => Math.round(took[Math.floor((took.length - 1) * share)] as number);
  console.log(
    `${stage.total(({ recoveries }) => recoveries)} of ${took.length} reconnects recovered in ${ms(0.5)} ms (median), ${ms(1)} ms (longest); ${all.length} numbers; ${JSON.stringify(found)}`,
  );
  expect(found).toEqual(clean);
  expect(stage.total(({ recoveries }) => recoveries)).toBe(300);
  expect(stage.total(({ told }) => told.failed)).toBe(0);
}, 90_000);

test('sessions of a gateway that is killed go on at the others, with all that was sent meanwhile', async () => {
  await stage.gather(30);
  const stop = await stage.numbers();
  const [, ...others] = stage.urls;
  const back: Promise<void>[] = [];
  for (const client of stage.clients) client.onLost(() => back.push(comeBack(client, others)));
  const victims = stage.clients.filter((_, index) => index % 3 === 0);
  await stage.gateway('socketio-1').kill('SIGKILL');
  const killed = performance.now();
  await until(() => back.length === victims.length, 10_000);
  await Promise.all(back);
  await until(() => victims.every(({ told }) => told.recovered === 1), 10_000);
  const seconds = ((performance.now() - killed) / 1_000).toFixed(2);
  await sleep(500);
  const all = await stop();
  await stage.heardLast(all.at(-1) as number, 10_000);
  const found = findings(all);
  console.log(
    `gateway killed: ${stage.total(({ recoveries }) => recoveries)} of ${victims.length} sessions recovered in ${seconds} s; ${all.length} numbers; ${JSON.stringify(found)}`,
  );
  expect(found).toEqual(clean);
  expect(stage.total(({ recoveries }) => recoveries)).toBe(victims.length);
  expect(stage.total(({ lives }) => lives.length)).toBe(stage.clients.length);
}, 90_000);

interface Kept {
  data?: { aliases?: Record<string, string> };
}

test('a client whose gateway is killed is still registered, and in its rooms by the names under which it joined them', async () => {
  const { user } = stage.cast.people;
  const client = new Wanderer({ auth: { token: user.token } });
  stage.clients.push(client);
  await comeBack(client, [stage.urls[0]]);
  const { id, name } = await stage.cast.stage.room();
  await client.ask('register', { userId: user.id });
  await client.ask('room:join', { room: id });
  await stage.push(0);
  await stage.heardLast(0);
  const nats = await connect({ servers: stage.system.nats.url });
  const manager = await nats.jetstreamManager();
  const { stream, ...log } = fanoutNames(socketsPrefix({ natsPrefix: 'trigate' }));
  const subject = log.of('/').session(client.session.pid as string);
  const kept = () => manager.streams.getMessage(stream, { last_by_subj: subject });
  await eventually(kept, (record) => record.json<Kept>().data?.aliases?.[id] === name, 5_000);
  await nats.close();
  const lost = new Promise<void>((resolve) => client.onLost(resolve));
  await stage.gateway('socketio-1').kill('SIGKILL');
  await lost;
  await comeBack(client, [stage.urls[1]]);
  await until(() => client.told.recovered === 1, 5_000);
  expect(await client.ask('room:leave', { room: id })).toEqual({ success: true, room: name });
}, 30_000);

test('a gateway that ends says so to its clients, who go on at the others', async () => {
  await stage.gather(30);
  const stop = await stage.numbers();
  const [, , last] = stage.urls;
  const others = stage.urls.filter((url) => url !== last);
  const back: Promise<void>[] = [];
  const leaving = stage.clients.filter((_, index) => index % 3 === 2);
  for (const client of leaving) client.onLost(() => back.push(comeBack(client, others)));
  const told = leaving.map((client) => client.next('system:reconnect_status'));
  const ended = performance.now();
  const leaver = stage.gateway('socketio-3');
  const ending = leaver.stop();
  expect(await within(Promise.all(told), 'system:reconnect_status')).toEqual(
    leaving.map(() => ({ attempt: 1, delay: 1_000, timestamp: expect.stringMatching(/Z$/) })),
  );
  await until(() => back.length === leaving.length, 10_000);
  await Promise.all(back);
  await until(() => leaving.every((client) => client.told.recovered === 1), 10_000);
  const seconds = ((performance.now() - ended) / 1_000).toFixed(2);
  await ending;
  expect(leaver.running.exitCode).toBe(0);
  const all = await stop();
  await stage.heardLast(all.at(-1) as number, 10_000);
  const found = findings(all);
  console.log(
    `gateway ended: ${stage.total(({ recoveries }) => recoveries)} of ${leaving.length} sessions recovered in ${seconds} s; ${JSON.stringify(found)}`,
  );
  expect(found).toEqual(clean);
  expect(stage.total(({ recoveries }) => recoveries)).toBe(leaving.length);
}, 90_000);

test('a session whose gateway stands still goes on at another without a gap, or begins anew and is told so', async () => {
  await stage.gather(12);
  const stop = await stage.numbers();
  const [still, ...others] = stage.urls;
  const gateway = stage.system.processes['socketio-1'];
  const [moving, staying] = [0, 1].map((half) =>
    stage.clients.filter((_, index) => index % 3 === 0 && (index / 3) % 2 === half),
  ) as [Wanderer[], Wanderer[]];
  for (const client of staying) client.onLost(() => void comeBack(client, [still]));
  const before = stage.pushed;
  await gateway?.kill('SIGSTOP');
  try {
    await until(() => stage.pushed > before + 5, 20_000);
    for (const client of moving) client.breakOff();
    await Promise.all(moving.map((client) => comeBack(client, others)));
    await until(() => moving.every(({ told }) => told.recovered + told.failed === 1), 10_000);
    const after = stage.pushed;
    await until(() => stage.pushed > after + 5, 20_000);
  } finally {
    await gateway?.kill('SIGCONT');
  }
  await until(() => stage.clients.every(({ connected }) => connected), 20_000);
  const all = await stop();
  // One that joined anew may be in its room only now.
  await stage.push(all.length);
  await stage.heardLast(all.length, 20_000);
  const found = findings([...all, all.length]);
  const [recovered, failed] = [stage.total(({ told }) => told.recovered), stage.total(({ told }) => told.failed)];
  console.log(
    `gateway stopped: ${recovered} sessions recovered, ${failed} began anew; ${all.length} numbers; ${JSON.stringify(found)}`,
  );
  expect(found).toEqual(clean);
  // Who was told that nothing is missing has the life of before; nobody else has.
  for (const { lives, told } of stage.clients) expect(lives.length).toBe(1 + told.failed);
}, 120_000);

test('the log keeps packets for two minutes of absence, and for the time until that is noticed', async () => {
  const nats = await connect({ servers: stage.system.nats.url });
  try {
    const manager = await nats.jetstreamManager();
    const { config } = await manager.streams.info(`${socketsPrefix({ natsPrefix: 'trigate' })}-fanout`);
    // A ping of Engine.IO after 25 s, and 20 s for its answer.
    expect(millis(config.max_age)).toBeGreaterThanOrEqual(120_000 + 45_000);
  } finally {
    await nats.close();
  }
});

test('a session is refused to whoever has its id but another user’s token, on any gateway', async () => {
  await stage.gather(1);
  const [client] = stage.clients as [Wanderer];
  await stage.push(0);
  await stage.heardLast(0, 5_000);
  client.breakOff();
  await until(() => !client.connected, 5_000);
  await stage.push(1);
  const thief = new Wanderer({ auth: { token: stage.cast.people.stranger.token, ...client.session } });
  stage.clients.push(thief);
  await comeBack(thief, [stage.urls[1] as string]);
  await until(() => thief.told.failed === 1, 5_000);
  expect([thief.recoveries, thief.life?.numbers]).toEqual([0, []]);
  expect(thief.sid).not.toBe(client.sid);
  // Its own user finds it as it was.
  await comeBack(client, [stage.urls[2] as string]);
  await until(() => client.told.recovered === 1, 5_000);
  expect(client.life?.numbers).toEqual([0, 1]);
}, 30_000);

test('who was revoked while away is let in on no gateway', async () => {
  const person = await stage.cast.stage.person();
  const client = new Wanderer({ auth: { token: person.token } });
  stage.clients.push(client);
  await comeBack(client, [stage.urls[0] as string]);
  client.breakOff();
  await until(() => !client.connected, 5_000);
  const payload = { password: randomUUID() };
  await stage.cast.stage.ok({ module: 'users', command: 'update', entity: person.id, payload });
  for (const url of stage.urls) await expect(client.connect(url)).rejects.toThrow('refused');
  expect(client.recoveries).toBe(0);
}, 30_000);

const outcomes = ['connect', 'connect_error', 'disconnect'] as const;

test('while NATS is away a client is let in or refused within ten seconds, and misses nothing when it is back', async () => {
  await stage.gather(3);
  const [client] = stage.clients as [Wanderer];
  await stage.push(0);
  await stage.heardLast(0, 5_000);
  await stage.system.nats.kill('SIGKILL');
  client.breakOff();
  const started = performance.now();
  const visitor = stage.cast.open(stage.cast.people.user.token, {
    auth: { token: stage.cast.people.user.token, ...client.session },
  });
  const came = await within(Promise.race(outcomes.map((event) => next(visitor, event).then(() => event))), 'an answer');
  const seconds = (performance.now() - started) / 1_000;
  await stage.system.nats.restart();
  for (const name of ['socketio-1', 'socketio-2', 'socketio-3', 'http-1'])
    await stage.system.processes[name]?.ready(20_000);
  await comeBack(client, stage.urls);
  await until(() => client.told.recovered + client.told.failed > 0, 10_000);
  console.log(`while NATS was away: ${came} after ${seconds.toFixed(2)} s; ${JSON.stringify(client.told)}`);
  expect(seconds).toBeLessThan(calmly(11));
  for (const n of [1, 2, 3, 4]) await stage.push(n);
  await stage.heardLast(4, 10_000);
  expect(client.recoveries).toBe(client.told.recovered);
  expect(client.lives.flatMap(({ numbers }) => numbers)).toEqual([0, 1, 2, 3, 4]);
}, 60_000);

// The last: what was on its way within the last seconds is looked for in the log when NATS comes back.
test('where the log has lost what was missed a session is a new one, and its client is told so', async () => {
  await stage.gather(3);
  const stop = await stage.numbers();
  for (const client of stage.clients) client.breakOff();
  await until(() => stage.clients.every(({ connected }) => !connected), 5_000);
  const all = await stop();
  const nats = await connect({ servers: stage.system.nats.url });
  const manager = await nats.jetstreamManager();
  await manager.streams.purge(`${socketsPrefix({ natsPrefix: 'trigate' })}-fanout`);
  await nats.close();
  await stage.push(all.length);
  await Promise.all(stage.clients.map((client, index) => client.connect(stage.urls[(index + 1) % 3] as string)));
  await until(() => stage.clients.every(({ told }) => told.failed === 1), 5_000);
  expect(stage.total(({ recoveries }) => recoveries)).toBe(0);
  // And from there on everything is as before.
  await stage.push(all.length + 1);
  await stage.heardLast(all.length + 1, 5_000);
  expect(stage.clients.map(({ life }) => life?.numbers)).toEqual(stage.clients.map(() => [all.length + 1]));
  await Promise.all(stage.clients.map((client) => client.wander(stage.urls, 1)));
  expect(stage.total(({ recoveries }) => recoveries)).toBe(stage.clients.length);
}, 60_000);
