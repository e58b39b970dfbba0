import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { startNats } from '../../test/servers/nats.ts';
import { freePort } from '../../test/servers/ports.ts';
import { start } from '../../test/servers/process.ts';
import type { Kind } from './adapters.ts';

const run = promisify(execFile);
const peers = new URL('./peers', import.meta.url).pathname;

export interface RunningBus {
  port: number;
  pid: number;
  stop(): Promise<void>;
}

export async function startBus(kind: Kind): Promise<RunningBus> {
  if (kind.startsWith('ours')) return startNats();
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const redis = await start({ name: 'redis', command: 'redis-server', args, ready: /Ready to accept connections/ });
  return { port, pid: redis.pid, stop: () => redis.stop() };
}

/** The version of Redis, where there is one new enough for the sharded adapter. */
export async function redisVersion(): Promise<string | undefined> {
  const told = await run('redis-server', ['--version']).catch(() => undefined);
  const version = told?.stdout.match(/v=([\d.]+)/)?.[1];
  return version !== undefined && Number.parseInt(version, 10) >= 7 ? version : undefined;
}

/** Installs the adapters for Redis, the first time. @throws Error with npm's last words */
export async function installAdapters(): Promise<void> {
  const there = await access(`${peers}/node_modules/@socket.io/redis-adapter/package.json`).then(
    () => true,
    () => false,
  );
  if (!there) await run('npm', ['ci', '--ignore-scripts'], { cwd: peers, timeout: 180_000 });
}
