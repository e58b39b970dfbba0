import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './ports.ts';
import { type Running, start } from './process.ts';

export interface NatsOptions {
  /** On unless false. */
  jetstream?: boolean;
  port?: number;
  /** Where JetStream keeps its files; a temporary directory, removed by `stop()`, where none is given. */
  storeDir?: string;
  /** Further arguments, such as `['--user', 'a', '--pass', 'b']`. */
  args?: readonly string[];
}

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now. */
  readonly pid: number;
  readonly storeDir: string;
  stop(): Promise<void>;
  /** SIGKILL is a crash; resolves when the process has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends the process where it still runs and starts another on the same port and files. */
  restart(): Promise<void>;
}

const run = promisify(execFile);
const release = 'github.com/nats-io/nats-server/v2@v2.15.2';
const howTo = `nats-server 2.10 or newer is needed on the PATH: \`go install ${release}\` or https://nats.io/download`;

async function output(command: string, args: readonly string[], timeout: number): Promise<string | null> {
  try {
    return (await run(command, args, { timeout })).stdout.trim();
  } catch {
    return null;
  }
}

async function isRecent(command: string): Promise<boolean> {
  const [, major, minor] = (await output(command, ['--version'], 10_000))?.match(/v(\d+)\.(\d+)/) ?? [];
  return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 10);
}

async function find(): Promise<string> {
  if (await isRecent('nats-server')) return 'nats-server';
  const goPath = await output('go', ['env', 'GOPATH'], 10_000);
  if (!goPath) throw new Error(howTo);
  const installed = join(goPath, 'bin', 'nats-server');
  if (await isRecent(installed)) return installed;
  await output('go', ['install', release], 300_000);
  if (await isRecent(installed)) return installed;
  throw new Error(howTo);
}

let found: Promise<string> | undefined;

/**
 * The command that runs a nats-server of 2.10 or newer: from the PATH, from Go's bin directory, or installed there.
 * @throws Error one line that says how to get it
 */
export function natsServerCommand(): Promise<string> {
  found ??= find();
  return found;
}

async function launch(port: number, storeDir: string, options: NatsOptions): Promise<Running> {
  const jetstream = options.jetstream === false ? [] : ['--jetstream', '--store_dir', storeDir];
  return start({
    name: 'nats-server',
    command: await natsServerCommand(),
    args: ['--addr', '127.0.0.1', '--port', String(port), ...jetstream, ...(options.args ?? [])],
    ready: /Server is ready/,
    removeOnDeath: options.storeDir ? undefined : storeDir,
  });
}

/** A port found free may be taken before the server has it: then another one, unless the caller named the port. */
async function launchAnywhere(storeDir: string, options: NatsOptions): Promise<{ running: Running; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    try {
      return { running: await launch(port, storeDir, options), port };
    } catch (error) {
      if (options.port || attempt === 3 || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

/** Starts a nats-server on 127.0.0.1 and waits until it is ready. @throws Error with its last output, or how to get it */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const storeDir = options.storeDir ?? (await mkdtemp(join(tmpdir(), 'trigate-nats-')));
  const removeFiles = () => (options.storeDir ? undefined : rm(storeDir, { recursive: true, force: true }));
  const first = await launchAnywhere(storeDir, options).catch(async (error) => {
    await removeFiles();
    throw error;
  });
  const { port } = first;
  let { running } = first;
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    storeDir,
    get pid() {
      return running.pid;
    },
    kill: (signal) => running.kill(signal),
    async restart() {
      await running.stop();
      running = await launch(port, storeDir, options);
    },
    async stop() {
      await running.stop();
      await removeFiles();
    },
  };
}
