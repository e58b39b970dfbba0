import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { connectAsync } from 'mqtt';
import { connect } from 'nats';
import { cleanUp } from './clean-up.ts';
import { startMosquitto } from './mosquitto.ts';
import { startNats } from './nats.ts';
import { freePort } from './ports.ts';
import { start } from './process.ts';

const later = cleanUp();

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('child processes', () => {
  const script = (body: string) => ({ name: 'a script', command: 'sh', args: ['-c', body] });

  test('are ready when the awaited line is printed, and end when stopped', async () => {
    const child = await start({ ...script('echo one; echo ready >&2; exec sleep 60'), ready: /^ready$/ });
    expect(isAlive(child.pid)).toBe(true);
    await child.stop();
    expect(isAlive(child.pid)).toBe(false);
  });

  test('that end before they are ready are reported with their last output', async () => {
    const starting = start({ ...script('echo the disk is full; exit 3'), ready: /never/ });
    await expect(starting).rejects.toThrow(/did not start:\n(.*\n)*.*the disk is full/);
  });

  test('that are not ready in time are killed', async () => {
    const starting = start({ ...script(`echo pid $$; exec sleep 60`), ready: async () => false, timeout: 200 });
    const error = await starting.catch((reason: Error) => reason);
    const pid = Number(/pid (\d+)/.exec(String(error))?.[1]);
    expect(String(error)).toContain('was not ready within 200 ms');
    expect(isAlive(pid)).toBe(false);
  });

  test('that ignore SIGTERM are ended by SIGKILL', async () => {
    const child = await start({ ...script('trap "" TERM; echo ready; while :; do sleep 1; done'), ready: /ready/ });
    await child.stop();
    expect(isAlive(child.pid)).toBe(false);
  }, 15_000);

  test('that cannot be found are reported', async () => {
    const starting = start({ name: 'nothing', command: '/nowhere/nothing', args: [], ready: /x/ });
    await expect(starting).rejects.toThrow(/nothing did not start/);
  });
});

describe('nats-server', () => {
  test('keeps its streams and its port over a crash and a restart', async () => {
    const server = await startNats();
    later(server.stop);
    const { pid } = server;
    const before = await connect({ servers: server.url });
    await (await before.jetstreamManager()).streams.add({ name: 'kept', subjects: ['kept.*'] });
    await before.jetstream().publish('kept.one', 'x');
    await before.close();

    await server.kill('SIGKILL');
    await server.restart();
    expect(server.pid).not.toBe(pid);
    const after = await connect({ servers: server.url });
    later(() => after.close());
    const info = await (await after.jetstreamManager()).streams.info('kept');
    expect(info.state.messages).toBe(1);
  });

  test('runs without JetStream where that is asked for, on the port that was asked for', async () => {
    const port = await freePort();
    const server = await startNats({ jetstream: false, port });
    later(server.stop);
    expect(server.port).toBe(port);
    const connection = await connect({ servers: server.url });
    later(() => connection.close());
    await expect(connection.jetstreamManager()).rejects.toThrow();
  });

  test('leaves a store directory that was given and removes none of it', async () => {
    const storeDir = await mkdtemp(join(tmpdir(), 'trigate-store-'));
    later(() => rm(storeDir, { recursive: true }));
    const server = await startNats({ storeDir });
    await server.stop();
    expect(existsSync(storeDir)).toBe(true);
  });
});

describe('Mosquitto', () => {
  test('carries a message between two anonymous clients', async () => {
    const server = await startMosquitto();
    later(server.stop);
    const [one, two] = await Promise.all([connectAsync(server.url), connectAsync(server.url, { protocolVersion: 5 })]);
    later(() => Promise.all([one.endAsync(), two.endAsync()]));
    const heard = new Promise<string>((resolve) => two.on('message', (_topic, body) => resolve(body.toString())));
    await two.subscribeAsync('greeting', { qos: 1 });
    await one.publishAsync('greeting', 'hello', { qos: 1 });
    expect(await heard).toBe('hello');
  });

  test('asks for passwords and follows an ACL file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'trigate-acl-'));
    later(() => rm(directory, { recursive: true }));
    const aclFile = join(directory, 'acl');
    await writeFile(aclFile, 'user reader\ntopic read open/#\n');
    const server = await startMosquitto({ aclFile, passwords: { reader: 'secret word' } });
    later(server.stop);
    const attempt = (password?: string) =>
      connectAsync(server.url, { protocolVersion: 5, reconnectPeriod: 0, username: 'reader', password });
    await expect(attempt('wrong')).rejects.toThrow(/not authorized/i);
    await expect(connectAsync(server.url, { protocolVersion: 5, reconnectPeriod: 0 })).rejects.toThrow();
    const reader = await attempt('secret word');
    later(() => reader.endAsync());
    const refused = await reader.publishAsync('open/door', 'x', { qos: 1 }).catch((error) => error);
    expect(String(refused)).toMatch(/not authorized/i);
  });

  test('comes back on its port after a crash', async () => {
    const server = await startMosquitto();
    later(server.stop);
    await server.kill('SIGKILL');
    await server.restart();
    const client = await connectAsync(server.url);
    await client.endAsync();
  });
});
