import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';

/** What a spec gets: a database of its own on a server that answers. */
export interface MongoServer {
  /** With the database in its path. */
  url: string;
  kind: 'env' | 'mongod' | 'mongo-java-server';
  /** Drops the database; ends the server when nobody else of this module uses it. */
  stop(): Promise<void>;
}

interface Running {
  kind: MongoServer['kind'];
  /** `{database}` stands where the name of the database goes. */
  template: string;
  end(): Promise<void>;
}

const here = import.meta.dirname;
const cache = join(here, '.cache', 'mongo-java-server-1.47.0');
/** The first start downloads; a start with everything in place takes one to three seconds. */
const START_MS = 60_000;

let shared: Promise<Running> | undefined;
let users = 0;

/**
 * A MongoDB for tests: TEST_MONGODB_URL, else `mongod` on the PATH, else mongo-java-server (needs Java and Maven).
 * Several calls of one spec share the server and get a database each.
 * @throws Error one line that says what is missing
 */
export async function startMongo(): Promise<MongoServer> {
  users += 1;
  shared ??= startServer().then(warm);
  try {
    const server = await shared;
    const url = server.template.replace('{database}', `trigate_test_${randomBytes(6).toString('hex')}`);
    return { url, kind: server.kind, stop: () => stopOne(server, url) };
  } catch (error) {
    users -= 1;
    shared = undefined;
    throw error;
  }
}

async function stopOne(server: Running, url: string): Promise<void> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 2_000 });
  await client
    .db()
    .dropDatabase()
    .catch(() => false);
  await client.close();
  users -= 1;
  if (users > 0) return;
  shared = undefined;
  await server.end();
}

async function startServer(): Promise<Running> {
  const given = process.env.TEST_MONGODB_URL;
  if (given) return { kind: 'env', template: withDatabase(given), end: async () => {} };
  if (await onPath('mongod')) return startMongod();
  for (const tool of ['java', 'mvn']) {
    if (!(await onPath(tool))) {
      throw new Error(
        `tests need a MongoDB: set TEST_MONGODB_URL, or put mongod, or java and mvn, on the PATH (no ${tool})`,
      );
    }
  }
  return startJava();
}

/** A JVM's first answer takes seconds on a busy machine, which is longer than a store waits for one. */
async function warm(server: Running): Promise<Running> {
  const url = server.template.replace('{database}', `trigate_test_${randomBytes(6).toString('hex')}`);
  const client = new MongoClient(url, { serverSelectionTimeoutMS: START_MS });
  try {
    await client.db().collection('first').insertOne({ first: true });
    await client.db().dropDatabase();
    return server;
  } catch (error) {
    await server.end();
    throw error;
  } finally {
    await client.close();
  }
}

/** `mongodb://a,b/name?x=1` with the name replaced, or put in where there is none. */
function withDatabase(url: string): string {
  const [, base, query = ''] = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(url) ?? [];
  if (!base) throw new Error('TEST_MONGODB_URL is not a mongodb:// address');
  return `${base}/{database}${query}`;
}

async function onPath(tool: string): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const found = await Promise.all(
    folders.map((folder) =>
      access(join(folder, tool)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

async function startMongod(): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'trigate-mongod-'));
  const port = await freePort();
  const child = spawn('mongod', ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  await lineOf(child, /Waiting for connections/i);
  return {
    kind: 'mongod',
    template: `mongodb://127.0.0.1:${port}/{database}`,
    end: async () => {
      await ended(child, () => child.kill('SIGTERM'));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startJava(): Promise<Running> {
  await prepareJars();
  const child = spawn('java', ['-Xmx256m', '-cp', join(cache, '*'), join(here, 'mongo-java', 'MongoMain.java')], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const port = (await lineOf(child, /^port (\d+)$/))[1];
  return {
    kind: 'mongo-java-server',
    template: `mongodb://127.0.0.1:${port}/{database}`,
    end: () => ended(child, () => child.stdin?.end()),
  };
}

/** Jest's workers may come here at once: each downloads into a folder of its own, the first rename wins. */
async function prepareJars(): Promise<void> {
  if (await exists(cache)) return;
  const folder = `${cache}.${randomBytes(4).toString('hex')}`;
  await mkdir(folder, { recursive: true });
  const pom = join(here, 'mongo-java', 'pom.xml');
  const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`];
  await promisify(execFile)('mvn', args, { timeout: START_MS });
  await rename(folder, cache).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true });
    if (!(await exists(cache))) throw error;
  });
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The first line of the child's output that matches; the child is drained and ended with this process from then on. */
async function lineOf(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      kill();
      reject(new Error(`${child.spawnfile} ${why}`));
    };
    const timer = setTimeout(() => fail('was not ready in time'), START_MS);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code) => fail(`ended with ${code} before it was ready`));
    child.once('exit', () => clearTimeout(timer));
    lines.on('line', (line) => {
      const match = pattern.exec(line);
      if (!match) return;
      clearTimeout(timer);
      detach(child);
      resolve(match);
    });
  });
}

/** A spec that fails before it stops its server must not keep the test runner alive. */
function detach(child: ChildProcess): void {
  child.unref();
  for (const pipe of [child.stdin, child.stdout]) (pipe as Socket | null)?.unref();
}

/** Asks the child to end and waits; 5 s later it is killed. */
async function ended(child: ChildProcess, ask: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.ref();
  ask();
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(timer);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
