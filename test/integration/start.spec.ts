import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { cleanUp } from '../servers/clean-up.ts';
import { freePort } from '../servers/ports.ts';
import { type Running, start } from '../servers/process.ts';
import { httpRequest } from '../system/clients/http.client.ts';
import { within } from '../system/clients/wait.ts';
import { plainEnv } from '../system/process.ts';

const root = new URL('../..', import.meta.url).pathname;
const later = cleanUp();
interface Place {
  url: string;
  env: NodeJS.ProcessEnv;
}

async function newPlace(): Promise<Place> {
  const dataDir = await mkdtemp(join(tmpdir(), 'trigate-start-'));
  later(() => rm(dataDir, { recursive: true, force: true }));
  const [port, mqttPort] = [await freePort(), await freePort()];
  const env = { ...plainEnv(), DATA_DIR: dataDir, HTTP_PORT: String(port), MQTT_PORT: String(mqttPort) };
  return { url: `http://127.0.0.1:${port}`, env };
}

const serves = (url: string) => async () => {
  const status = await fetch(`${url}/health`).then(
    (response) => response.status,
    () => 0,
  );
  return status === 200;
};

async function run(command: string, args: string[], { url, env }: Place): Promise<Running> {
  const running = await start({ name: command, command, args, cwd: root, env, ready: serves(url) });
  later(() => running.stop());
  // Printed last.
  await within(running.line(/try it/), 'the addresses', 5_000);
  return running;
}
/** The process of `node main.ts` below npm's, as Linux tells it. */
async function startedBy(pid: number): Promise<number> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8');
  if (command.endsWith('\0main.ts\0')) return pid;
  const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ');
  return startedBy(Number(child));
}
/** npm passes signals on to a shell, not to what the shell runs: they have to go to the process of Trigate itself. */
async function npmStart(place: Place): Promise<Running & { terminate(): Promise<void> }> {
  const running = await run('npm', ['start'], place);
  const pid = await startedBy(running.pid);
  const terminate = async () => {
    if (running.exitCode !== null) return;
    process.kill(pid, 'SIGTERM');
    await within(running.ended, 'the end of npm start', 10_000);
  };
  later(terminate);
  return Object.assign(running, { terminate });
}
/** The first fresh start that is fast enough, of so many: tests beside this one may hold the processors for a while. */
async function fastStart(attempts: number) {
  const place = await newPlace();
  const spawned = performance.now();
  const first = await npmStart(place);
  const milliseconds = performance.now() - spawned;
  if (milliseconds < 5_000 || attempts === 1) return { place, first, milliseconds };
  await first.terminate();
  return fastStart(attempts - 1);
}
const nodeMain = (place: Place) => run(process.execPath, ['main.ts'], place);

const passwordOf = (output: string) => /administrator: admin {2}password: (\S+)/.exec(output)?.[1];
const keyOf = (output: string) => /API key: (tg_\S+)/.exec(output)?.[1];

test('npm start serves in less than five seconds, prints its addresses, and the credentials once', async () => {
  const { place, first, milliseconds } = await fastStart(3);
  expect(milliseconds).toBeLessThan(5_000);

  const output = await within(first.line(/API key: /), 'the API key', 2_000).then(() => first.output());
  expect(output).toContain(`HTTP and Socket.IO  ${place.url}`);
  expect(output).toContain(`mqtt://127.0.0.1:${place.env.MQTT_PORT}`);
  const [password, key] = [passwordOf(output), keyOf(output)] as [string, string];
  expect([password, key]).toEqual([expect.any(String), expect.any(String)]);

  const login = { json: { username: 'admin', password }, method: 'POST' };
  expect(await httpRequest(`${place.url}/api/auth`, login)).toMatchObject({ status: 201 });
  expect(await httpRequest(`${place.url}/api/users`, { headers: { 'x-api-key': key } })).toMatchObject({ status: 200 });
  await first.terminate();
  expect(first.exitCode).toBe(0);

  const second = await npmStart(place);
  expect([passwordOf(second.output()), keyOf(second.output())]).toEqual([undefined, undefined]);
  expect(second.output()).not.toContain(password);
  expect(await httpRequest(`${place.url}/api/auth`, login)).toMatchObject({ status: 201 });
  expect(await httpRequest(`${place.url}/api/users`, { headers: { 'x-api-key': key } })).toMatchObject({ status: 200 });
});

/** A request whose head the server has and whose body is still to come; `finish` sends it and resolves to the answer. */
async function halfRequest(url: string, body: string): Promise<{ finish(): Promise<string> }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  later(() => socket.destroy());
  let text = '';
  const continued = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.includes('100 Continue')) resolve();
    });
  });
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const head = ['POST /api/auth HTTP/1.1', 'Host: localhost', 'Content-Type: application/json', 'Expect: 100-continue'];
  socket.write(`${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`);
  await within(continued, '100 Continue', 5_000);
  return {
    async finish() {
      socket.write(body);
      await within(ended, 'the end of the connection', 10_000);
      return text;
    },
  };
}

const refuses = (url: string) => async () => {
  const { hostname, port } = new URL(url);
  return new Promise<boolean>((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.once('error', () => resolve(true));
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
  });
};

test('one process tells its metrics at METRICS_PORT alone, where there is one', async () => {
  const place = await newPlace();
  const port = await freePort();
  await nodeMain({ ...place, env: { ...place.env, METRICS_PORT: String(port) } });
  const statuses = ['/metrics', '/live'].flatMap((path) => [
    fetch(`http://127.0.0.1:${port}${path}`).then(({ status }) => status),
    fetch(`${place.url}${path}`).then(({ status }) => status),
  ]);
  expect(await Promise.all(statuses)).toEqual([200, 404, 200, 200]);
});

describe('SIGTERM', () => {
  test('lets a request that runs finish, then ends the process with 0', async () => {
    const place = await newPlace();
    place.env.DRAIN_DELAY_MS = '0';
    place.env.ADMIN_PASSWORD = 'a-password-of-mine';
    const running = await nodeMain(place);
    const request = await halfRequest(place.url, '{"username":"admin","password":"a-password-of-mine"}');
    const ended = running.kill('SIGTERM');
    const closed = refuses(place.url);
    while (!(await closed())) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(running.exitCode).toBeNull();
    const answer = await request.finish();
    expect(answer).toContain('HTTP/1.1 201');
    expect(answer).toContain('"bearer"');
    await within(ended, 'the end of the process', 10_000);
    expect(running.exitCode).toBe(0);
  });

  test('as Ctrl-C of npm start, which comes from the terminal and from npm, is one', async () => {
    const place = await newPlace();
    Object.assign(place.env, {
      DRAIN_DELAY_MS: '0',
      ADMIN_PASSWORD: 'a-password-of-mine',
      npm_lifecycle_event: 'start',
    });
    const running = await nodeMain(place);
    const request = await halfRequest(place.url, '{"username":"admin","password":"a-password-of-mine"}');
    const ended = running.kill('SIGINT');
    await within(running.line(/"draining"/), 'the drain', 5_000);
    void running.kill('SIGINT');
    expect(await request.finish()).toContain('HTTP/1.1 201');
    await within(ended, 'the end of the process', 10_000);
    expect(running.exitCode).toBe(0);
  });

  test('makes /ready say no while new work is still served', async () => {
    const place = await newPlace();
    place.env.DRAIN_DELAY_MS = '1500';
    const running = await nodeMain(place);
    expect(await httpRequest(`${place.url}/ready`)).toMatchObject({ status: 200 });
    const ended = running.kill('SIGTERM');
    let ready = await httpRequest(`${place.url}/ready`);
    while (ready.status === 200) ready = await httpRequest(`${place.url}/ready`);
    expect(ready).toMatchObject({ status: 503, body: { missing: ['draining'] } });
    expect(await httpRequest(`${place.url}/api/version`)).toMatchObject({ status: 200 });
    await within(ended, 'the end of the process', 10_000);
    expect(running.exitCode).toBe(0);
  });
});

test('npm start ends when npm is told to, though npm tells only the shell between them', async () => {
  const place = await newPlace();
  const running = await run('npm', ['start'], place);
  await running.kill('SIGTERM');
  // The lock of the data is given back at the very end.
  const deadline = Date.now() + 10_000;
  while (existsSync(join(place.env.DATA_DIR as string, 'lock'))) {
    expect(Date.now()).toBeLessThan(deadline);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(await serves(place.url)()).toBe(false);
});

describe('a start that cannot work', () => {
  const wrong: [what: string, env: NodeJS.ProcessEnv, named: string][] = [
    ['a value that does not parse', { HTTP_PORT: 'x' }, 'HTTP_PORT'],
    ['an unknown variable of ours', { TRIGATE_FOO: '1' }, 'TRIGATE_FOO'],
    ['a secret that is too short', { JWT_SECRET: 'tiny-one' }, 'JWT_SECRET'],
  ];
  test.each(wrong)('%s: one line that names it, and exit 1', async (_what, env, named) => {
    const place = await newPlace();
    const options = { name: 'main', command: process.execPath, args: ['main.ts'], cwd: root };
    const starting = start({ ...options, env: { ...place.env, ...env }, ready: serves(place.url) });
    const text = await starting.then(
      () => 'it started',
      (error: Error) => error.message,
    );
    const lines = text.split('\n').slice(1);
    expect(lines).toEqual([expect.stringContaining(named), 'ended with code 1']);
    expect(text).not.toContain('tiny-one');
  });

  test('a port that is taken is said in one line', async () => {
    const place = await newPlace();
    await nodeMain(place);
    const other = await newPlace();
    const env = { ...other.env, HTTP_PORT: place.env.HTTP_PORT };
    const never = async () => false;
    const options = { name: 'main', command: process.execPath, args: ['main.ts'], cwd: root, env, ready: never };
    const text = await start(options).catch((error: Error) => error.message);
    expect(text).toMatch(/EADDRINUSE/);
    expect(text).toMatch(/ended with code 1$/);
  });
});
