import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { NatsConnection } from 'nats';
import { createEmitter, type Emitter } from '../../shared/fanout/adapter/index.ts';
import { connectNats } from '../../shared/fanout/nats.connection.ts';
import { until } from '../integration/adapter.cluster.ts';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { freePort } from '../servers/ports.ts';
import { type Running, start } from '../servers/process.ts';
import { Wanderer } from './recovery.client.ts';
import { judge, sum } from './recovery.rules.ts';

interface Process {
  url: string;
  running: Running;
  restart(): Promise<void>;
}

const main = fileURLToPath(new URL('./recovery.server.ts', import.meta.url));
const node = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const pick = <T>(some: readonly T[]): T => some[Math.floor(Math.random() * some.length)] as T;

let server: NatsServer;
let nats: NatsConnection;
let emitter: Emitter;
let processes: Process[];
let clients: Wanderer[];

async function startProcess(): Promise<Process> {
  const port = await freePort();
  const args = [main, server.url, String(port), 'faults'];
  const launch = () => start({ name: 'socket.io server', command: node, args, ready: /ready/ });
  const started: Process = {
    url: `http://127.0.0.1:${port}`,
    running: await launch(),
    async restart() {
      started.running = await launch();
    },
  };
  return started;
}

beforeEach(async () => {
  server = await startNats();
  nats = await connectNats([server.url], 'publisher');
  emitter = createEmitter(nats, { prefix: 'faults', recovery: true });
  processes = await Promise.all([startProcess(), startProcess(), startProcess()]);
  clients = Array.from({ length: 30 }, () => new Wanderer());
  await Promise.all(clients.map((client, index) => client.connect((processes[index % 3] as Process).url)));
}, 60_000);

afterEach(async () => {
  for (const client of clients) client.close();
  await emitter.close();
  await Promise.all(processes.map(({ running }) => running.stop()));
  await nats.close();
  await server.stop();
});

function startNumbers(pauseMs: number) {
  let count = 0;
  let stopped = false;
  const run = async () => {
    while (!stopped) {
      const n = count++;
      const target = [emitter.of('/'), emitter.to('room'), emitter.to(['room', 'other'])][n % 3];
      target?.emit('n', n);
      await sleep(pauseMs);
    }
  };
  const running = run();
  return async () => {
    stopped = true;
    await running;
    return Array.from({ length: count }, (_, n) => n);
  };
}

/** Until some server has it again, as a client library would try. */
async function comeBack(client: Wanderer, wish?: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      await client.connect(tries === 0 && wish ? wish : pick(processes).url, 5_000);
      return;
    } catch {
      await sleep(50);
    }
  }
  throw new Error('the client found no server');
}

const keepComing = (client: Wanderer) => client.onLost(() => void comeBack(client));
const findings = (all: readonly number[]) => sum(clients.flatMap(({ lives }) => lives.map((life) => judge(life, all))));
const heardLast = (last: number) => () => clients.every(({ life }) => life?.numbers.at(-1) === last);
const count = (what: (client: Wanderer) => number) => clients.reduce((total, client) => total + what(client), 0);

test('sessions of servers that are killed go on at others, with every message, once, in order', async () => {
  for (const client of clients) keepComing(client);
  const stop = startNumbers(2);
  await until(() => clients.every(({ life }) => life && life.numbers.length > 0), 'everybody heard something');
  for (let round = 0; round < 6; round += 1) {
    const victim = processes[round % 3] as Process;
    await sleep(300 + Math.random() * 300);
    await victim.running.kill('SIGKILL');
    await sleep(200);
    await victim.restart();
  }
  const all = await stop();
  await until(heardLast(all.at(-1) as number), 'everybody heard the last number', 20_000);
  const found = findings(all);
  console.log(`6 servers killed, ${count((c) => c.recoveries)} sessions recovered, ${JSON.stringify(found)}`);
  expect(found).toEqual({ missing: 0, twice: 0, disordered: 0 });
  expect(count(({ lives }) => lives.length)).toBe(clients.length);
  expect(count(({ recoveries }) => recoveries)).toBeGreaterThan(30);
}, 90_000);

test('a session of a killed server is in the room that it joined last', async () => {
  const [client] = clients as [Wanderer];
  emitter.emit('n', 0);
  await until(() => client.life?.numbers.length === 1, 'it has an offset');
  await client.ask('join', 'late');
  // Its server dies with this on its way.
  emitter.to('late').emit('n', 1);
  nats.flush();
  await (processes[0] as Process).running.kill('SIGKILL');
  emitter.to('late').emit('n', 2);
  await comeBack(client, (processes[1] as Process).url);
  emitter.to('late').emit('n', 3);
  await until(() => client.life?.numbers.at(-1) === 3, 'it hears the room');
  expect(client.life?.numbers).toEqual([0, 1, 2, 3]);
  expect(client.recoveries).toBe(1);
});

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'while NATS is restarted by %s nobody is told of a recovery that has a gap',
  async (signal) => {
    for (const client of clients) keepComing(client);
    const stop = startNumbers(2);
    await until(() => clients.every(({ life }) => life && life.numbers.length > 0), 'everybody heard something');
    for (let round = 0; round < 3; round += 1) {
      await sleep(300);
      for (const client of clients) if (Math.random() < 0.3) client.breakOff();
      await server.kill(signal);
      await sleep(300);
      await server.restart();
      await sleep(1_500);
    }
    await until(() => clients.every(({ connected }) => connected), 'everybody is back', 20_000);
    const all = await stop();
    await until(heardLast(all.at(-1) as number), 'everybody heard the last number', 20_000);
    const heard = new Set(clients.flatMap(({ lives }) => lives.flatMap(({ numbers }) => numbers)));
    const lost = all.filter((n) => !heard.has(n)).length;
    const found = findings(all);
    const lives = count((client) => client.lives.length);
    console.log(`${signal}: ${lost} of ${all.length} lost, ${lives} lives of 30 clients, ${JSON.stringify(found)}`);
    expect({ lost, ...found }).toEqual({ lost: 0, missing: 0, twice: 0, disordered: 0 });
  },
  90_000,
);
