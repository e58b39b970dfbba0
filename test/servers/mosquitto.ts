import { execFile } from 'node:child_process';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './ports.ts';
import { type Running, start } from './process.ts';

export interface MosquittoOptions {
  /** Path of an ACL file. */
  aclFile?: string;
  /** User name to password. */
  passwords?: Record<string, string>;
  /** Whether clients without a user name are let in: as a rule when there are no passwords. */
  anonymous?: boolean;
  port?: number;
  /** Keeps sessions and retained messages in a temporary directory over `restart()`. */
  persistence?: boolean;
  /** Further lines of mosquitto.conf. */
  lines?: readonly string[];
  /** Whether each packet is logged; on unless false. */
  packetLog?: boolean;
}

export interface MosquittoServer {
  /** `mqtt://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends the process where it still runs and starts another on the same port and files. */
  restart(): Promise<void>;
}

const run = promisify(execFile);

/** Debian puts it into /usr/sbin, which is on few users' PATH. */
async function find(): Promise<string> {
  for (const directory of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const command = join(directory, 'mosquitto');
    const there = await access(command).then(
      () => true,
      () => false,
    );
    if (there) return command;
  }
  throw new Error('Mosquitto 2 is needed on the PATH or in /usr/sbin: `apt-get install mosquitto`');
}

async function writePasswords(directory: string, passwords: Record<string, string>): Promise<string> {
  const file = join(directory, 'passwords');
  await writeFile(file, '', { mode: 0o600 });
  for (const [user, password] of Object.entries(passwords)) await run('mosquitto_passwd', ['-b', file, user, password]);
  return file;
}

async function writeConfig(directory: string, port: number, options: MosquittoOptions): Promise<string> {
  const { aclFile, passwords, anonymous = !passwords, persistence = false, packetLog = true } = options;
  const lines = [
    `listener ${port} 127.0.0.1`,
    `allow_anonymous ${anonymous}`,
    `persistence ${persistence}`,
    `persistence_location ${directory}/`,
    // As in the configuration that is shipped: without it small packets wait for acknowledgements.
    'set_tcp_nodelay true',
    'log_dest stderr',
    ...(packetLog ? ['all'] : ['error', 'warning', 'notice', 'information']).map((type) => `log_type ${type}`),
  ];
  // As root it would become the user mosquitto, who may not read our temporary files.
  if (process.getuid?.() === 0) lines.push('user root');
  if (passwords) lines.push(`password_file ${await writePasswords(directory, passwords)}`);
  if (aclFile) lines.push(`acl_file ${aclFile}`);
  lines.push(...(options.lines ?? []));
  const file = join(directory, 'mosquitto.conf');
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

async function launch(directory: string, port: number, options: MosquittoOptions): Promise<Running> {
  const config = await writeConfig(directory, port, options);
  return start({
    name: 'mosquitto',
    command: await find(),
    args: ['-c', config],
    ready: /mosquitto version \S+ running/,
    removeOnDeath: directory,
  });
}

async function launchAnywhere(directory: string, options: MosquittoOptions) {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    try {
      return { running: await launch(directory, port, options), port };
    } catch (error) {
      if (options.port || attempt === 3 || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

/** Starts a Mosquitto on 127.0.0.1 and waits until it is ready. @throws Error with its last output, or how to get it */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<MosquittoServer> {
  const directory = await mkdtemp(join(tmpdir(), 'trigate-mosquitto-'));
  const removeFiles = () => rm(directory, { recursive: true, force: true });
  const first = await launchAnywhere(directory, options).catch(async (error) => {
    await removeFiles();
    throw error;
  });
  const { port } = first;
  let { running } = first;
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    get pid() {
      return running.pid;
    },
    kill: (signal) => running.kill(signal),
    async restart() {
      await running.stop();
      running = await launch(directory, port, options);
    },
    async stop() {
      await running.stop();
      await removeFiles();
    },
  };
}
