import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { httpClient } from '../system/clients/http.client.ts';
import { eventually } from '../system/clients/wait.ts';
import { type Answer, type Ask, type Client, connectClient, protocols } from '../system/clients.ts';
import { type Distributed, startDistributed } from '../system/distributed.ts';

/** What clients see while a part is gone: an error that says so, in time, and never where in the code. */
let system: Distributed;
let token: string;
let clients: Client[];

beforeAll(async () => {
  system = await startDistributed();
  const payload = { username: 'admin', password: system.adminPassword };
  const login = await httpClient(system.httpUrls[0] as string).request(
    { module: 'auth', command: 'create', payload },
    null,
  );
  token = ('ok' in login ? (login.ok as { bearer: string }) : { bearer: '' }).bearer;
  const urls = { http: system.httpUrls, socketio: system.socketioUrls, mqtt: system.mqttUrls };
  clients = protocols.map((protocol) => connectClient(protocol, urls[protocol][0] as string));
  // The connections are made, and everybody knows who asks.
  for (const client of clients) await eventually(() => codeOf(client, read), isOk, 10_000);
}, 60_000);
afterAll(async () => {
  for (const client of clients ?? []) await client.close();
  await system?.stop();
}, 30_000);

const read: Ask = { module: 'cameras', command: 'list' };
let made = 0;
const write = (): Ask => {
  made += 1;
  return { module: 'cameras', command: 'create', payload: { name: `camera ${made}`, source: 'rtsp://10.0.0.1/' } };
};
const isOk = (code: string) => code === 'OK';

interface Timed {
  code: string;
  ms: number;
}

async function timed(client: Client, ask: Ask): Promise<Timed> {
  const started = performance.now();
  const answer: Answer = await client.request(ask, token);
  const text = JSON.stringify(answer);
  if (/\.(ts|js):\d+|node_modules|"stack"|ECONN|mongo|nats/i.test(text)) throw new Error(`tells too much: ${text}`);
  return { code: 'ok' in answer ? 'OK' : answer.error.code, ms: performance.now() - started };
}
const codeOf = async (client: Client, ask: Ask) => (await timed(client, ask)).code;

/** Each client reads and writes; all answers must be of the codes given and come in time. */
async function expectFrom(codes: string[], withinMs: number): Promise<void> {
  const asks = clients.flatMap((client) => [read, write()].map((ask) => timed(client, ask)));
  const answers = await Promise.all(asks);
  for (const { code, ms } of answers) {
    expect(codes).toContain(code);
    expect(ms).toBeLessThan(withinMs);
  }
  const slowest = Math.max(...answers.map(({ ms }) => ms));
  console.info(
    `faults: ${answers.length} requests answered ${codes.join(' or ')}, the last after ${slowest.toFixed(0)} ms`,
  );
}

/** Prints after how long everything worked again over every protocol. */
async function expectRecovery(what: string, withinMs: number): Promise<void> {
  const began = performance.now();
  for (const client of clients) {
    await eventually(() => codeOf(client, read), isOk, withinMs);
    await eventually(() => codeOf(client, write()), isOk, withinMs);
  }
  console.info(`faults: right ${((performance.now() - began) / 1_000).toFixed(2)} s after ${what}`);
}

test('a service that is killed is UNAVAILABLE within two seconds over every protocol, and back when it is', async () => {
  await system.processes['services-2']?.kill('SIGKILL');
  // From the first moment on: also before the others have noticed.
  await expectFrom(['UNAVAILABLE'], 2_000);
  await delay(1_000);
  await expectFrom(['UNAVAILABLE'], 2_000);
  await system.processes['services-2']?.restart();
  await expectRecovery('the services that were killed were back', 10_000);
}, 60_000);

test('a service that stalls is answered for in time, and serves again when it goes on', async () => {
  await system.processes['services-2']?.kill('SIGSTOP');
  await expectFrom(['UNAVAILABLE', 'TIMEOUT'], 10_500);
  // By now it is known to be gone, and nobody waits for it any more.
  await expectFrom(['UNAVAILABLE'], 2_000);
  await system.processes['services-2']?.kill('SIGCONT');
  await expectRecovery('the services that stalled went on', 15_000);
}, 60_000);

test('a process that is told to end finishes what it was asked and leaves without an error', async () => {
  const client = clients[0] as Client;
  const asking = Array.from({ length: 20 }, () => codeOf(client, write()));
  await delay(20);
  await system.processes['services-2']?.stop();
  const codes = await Promise.all(asking);
  expect(codes.every((code) => code === 'OK' || code === 'UNAVAILABLE')).toBe(true);
  expect(system.processes['services-2']?.running.exitCode).toBe(0);
  await system.processes['services-2']?.restart();
  await expectRecovery('the services that were told to end were back', 10_000);
}, 60_000);

describe('while NATS is gone', () => {
  test('commands answer UNAVAILABLE or TIMEOUT and never hang; when it is back they work', async () => {
    await system.nats.kill('SIGKILL');
    await expectFrom(['UNAVAILABLE', 'TIMEOUT'], 12_000);
    const ready = await fetch(`${system.httpUrls[0]}/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, expect.objectContaining({ ready: false })]);
    await system.nats.restart();
    await expectRecovery('NATS was back', 20_000);
    for (const process of Object.values(system.processes)) await process.ready(20_000);
  }, 90_000);
});

describe('while MongoDB is gone', () => {
  for (const [how, begin] of [
    ['refuses connections', (proxy: Distributed['mongodb']) => proxy.cut()],
    ['does not answer', (proxy: Distributed['mongodb']) => proxy.stall()],
  ] as const) {
    test(`and ${how}, commands answer UNAVAILABLE or TIMEOUT within ten seconds; when it is back they work`, async () => {
      begin(system.mongodb);
      await expectFrom(['UNAVAILABLE', 'TIMEOUT'], 10_500);
      const ready = await fetch(`${system.processes['services-2']?.operatorUrl}/ready`);
      expect([ready.status, await ready.json()]).toEqual([503, { ready: false, missing: ['mongodb'] }]);
      system.mongodb.restore();
      await expectRecovery(`MongoDB, which ${how}, was back`, 20_000);
    }, 60_000);
  }
});

describe('while the MQTT broker is gone', () => {
  test('the MQTT gateway says so, and serves again when it is back', async () => {
    const gateway = system.processes['mqtt-1'];
    const ready = async () => (await fetch(`${gateway?.operatorUrl}/ready`)).status;
    await system.mosquitto.kill('SIGKILL');
    await eventually(ready, (status) => status === 503, 5_000);
    await system.mosquitto.restart();
    await eventually(ready, (status) => status === 200, 20_000);
    const client = connectClient('mqtt', system.mqttUrls[0] as string);
    try {
      expect(await codeOf(client, read)).toBe('OK');
    } finally {
      await client.close();
    }
  }, 60_000);
});
