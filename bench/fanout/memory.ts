import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../../test/servers/ports.ts';
import { answers, until } from '../lib/processes.ts';
import type { Kind, MemoryKind } from './adapters.ts';
import { startBus } from './buses.ts';
import { Child } from './child.ts';

export interface MemorySample {
  contender: MemoryKind;
  connections: number;
  /** Bytes per idle connection in one room: of the heap and buffers after a collection, and of the whole process. */
  heldBytes: number;
  residentBytes: number;
}

interface Told {
  held: number;
  rss: number;
}

const root = new URL('../..', import.meta.url).pathname;
const hook = new URL('./memory.hook.ts', import.meta.url).pathname;
/** What the first connections make a process load is no part of a connection. */
const first = 50;

/** How much one server holds per WebSocket connection on which nothing happens. */
export async function measureMemory(kind: MemoryKind, connections: number): Promise<MemorySample> {
  const bus = await startBus(kind === 'plain' || kind === 'trigate' ? 'ours' : kind);
  const port = await freePort();
  const server = start(kind, bus.port, port);
  const loads: Child[] = [];
  try {
    await until(kind, async () => server.exitCode === null && (await answers(`http://127.0.0.1:${port}/live`, 200)()));
    loads.push(await Child.node('./clients.ts', first, 1, port));
    const before = await told(server);
    loads.push(await Child.node('./clients.ts', connections, 1, port));
    const after = await told(server);
    return {
      contender: kind,
      connections,
      heldBytes: (after.held - before.held) / connections,
      residentBytes: (after.rss - before.rss) / connections,
    };
  } finally {
    const ended = once(server, 'exit');
    await Promise.all([...loads.map((load) => load.stop()), server.kill('SIGKILL') && ended]);
    await bus.stop();
  }
}

async function told(server: ChildProcess): Promise<Told> {
  const answer = once(server, 'message');
  server.send('memory');
  return (await answer)[0] as Told;
}

function start(kind: MemoryKind, busPort: number, port: number): ChildProcess {
  const execArgv = ['--expose-gc', '--import', hook];
  const stdio: ['ignore', 'ignore', 'inherit', 'ipc'] = ['ignore', 'ignore', 'inherit', 'ipc'];
  if (kind !== 'trigate') {
    const file = new URL('./gateway.ts', import.meta.url).pathname;
    return fork(file, [kind as Kind | 'plain', `${busPort}`, `${port}`], { execArgv, stdio });
  }
  const env = {
    ...{ PATH: process.env.PATH, NODE_ENV: 'production', HOST: '127.0.0.1', LOG_LEVEL: 'error' },
    ...{ NATS_URL: `nats://127.0.0.1:${busPort}`, SOCKETIO_PORT: `${port}` },
    // Everybody is let in, so that no service has to be there.
    ...{ AUTH_STRATEGY: 'none', JWT_SECRET: 'x'.repeat(32), RATE_LIMIT_CONNECTIONS: '0' },
  };
  return fork('gateways/main.ts', ['socketio'], { cwd: root, env, execArgv, stdio });
}
