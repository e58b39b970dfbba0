import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { start } from '../servers/process.ts';
import { copyManifests } from './checkout.ts';
import { composeWorkloads, readCompose } from './compose.ts';
import { kubernetesWorkloads } from './kubernetes.ts';
import { render } from './kustomize.ts';
import { localProcess } from './local.ts';
import type { Workload } from './workload.ts';

/** There is rarely a mongod where tests run: the scripts around it are run with stand-ins for the image and mongosh. */
let folder: string;
let members: Record<string, Workload>;

beforeAll(async () => {
  folder = await copyManifests();
  const compose = await readCompose(join(folder, 'docker-compose.yml'));
  const find = (workloads: Workload[]) => workloads.find(({ name }) => name === 'mongodb') as Workload;
  members = {
    'docker-compose.yml': find(await composeWorkloads(compose, folder)),
    k8s: find(kubernetesWorkloads(await render(join(folder, 'k8s/overlays/example')))),
  };
  await mkdir(join(folder, 'image'));
  const entryPoint = join(folder, 'image', 'docker-entrypoint.sh');
  await writeFile(entryPoint, '#!/bin/sh\necho "runs $* as <$MONGO_INITDB_ROOT_USERNAME>"\nexec sleep 60\n');
  await chmod(entryPoint, 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(['docker-compose.yml', 'k8s'])('a member of the replica set of %s', (source) => {
  const run = async (hostname: string) => {
    const home = join(folder, 'members', source, hostname);
    // In compose the file system of the container is writable, /tmp included.
    const workload = { ...(members[source] as Workload) };
    workload.directories = [...new Set([...workload.directories, '/tmp'])];
    const image = { folder: home, addresses: {}, env: { HOSTNAME: hostname }, path: [join(folder, 'image')] };
    const running = await start({ name: 'mongodb', ...localProcess(workload, image), ready: /^runs / });
    const line = await running.line(/^runs /);
    await running.kill('SIGKILL');
    return { line, keyFile: join(home, 'tmp', 'keyfile') };
  };

  test('begins with a key file of its own and, being the first, with a root user', async () => {
    const first = members[source]?.env.FIRST_MEMBER as string;
    const { line, keyFile } = await run(first);
    expect(line).toMatch(/^runs mongod --replSet rs0 --keyFile \S+ --bind_ip_all .* as <root>$/);
    expect(line).toContain(keyFile);
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    expect(await readFile(keyFile, 'utf8')).toMatch(/^[0-9a-f]{768}\n$/);
  });

  test('has no data of its own where it is to join', async () => {
    expect((await run('mongodb-1')).line).toMatch(/ as <>$/);
  });
});

describe('init.js', () => {
  interface Server {
    config: { members: { _id: number; host: string }[]; version: number } | null;
    password: string | null;
    leads: boolean;
  }
  class ServerError extends Error {
    readonly code: number;
    constructor(code: number) {
      super(`error ${code}`);
      this.code = code;
    }
  }
  const run = async (server: Server, wanted: string) => {
    const setUser = (pwd: string) => {
      server.password = pwd;
    };
    const commands = {
      adminCommand(command: { replSetGetStatus?: 1; replSetReconfig?: Server['config'] }) {
        if (command.replSetReconfig) server.config = command.replSetReconfig;
        else if (!server.config) throw new ServerError(94);
      },
      hello: () => ({ isWritablePrimary: server.leads }),
      getSiblingDB: () => ({
        runCommand(command: { updateUser?: string; createUser?: string; pwd: string }) {
          if (command.updateUser && server.password === null) throw new ServerError(11);
          setUser(command.pwd);
        },
      }),
    };
    const rs = {
      initiate({ members: [first] }: NonNullable<Server['config']>) {
        server.config = { members: first ? [first] : [], version: 1 };
      },
      conf: () => structuredClone(server.config),
    };
    const mongosh = {
      db: commands,
      rs,
      require: () => ({ readFileSync: (path: string) => `text of ${path}\n` }),
      process: { env: { MEMBERS: wanted } },
      sleep: () => {},
      print: () => {},
    };
    runInNewContext(await readFile(join(folder, 'k8s/base/mongodb/init.js'), 'utf8'), mongosh);
    return server;
  };
  const hosts = ({ config }: Server) => config?.members.map(({ host }) => host);
  const password = 'text of /run/secrets/mongodb/mongodb-password';

  test('makes the replica set and the user, and changes neither when it runs again', async () => {
    const server: Server = { config: null, password: null, leads: true };
    await run(server, 'a:1,b:1,c:1');
    expect(hosts(server)).toEqual(['a:1', 'b:1', 'c:1']);
    expect(new Set(server.config?.members.map(({ _id }) => _id)).size).toBe(3);
    expect(server.password).toBe(password);
    const before = structuredClone(server);
    expect(await run(server, 'a:1,b:1,c:1')).toEqual(before);
  });

  test('adds members and gives the user its new password', async () => {
    const server: Server = { config: { members: [{ _id: 4, host: 'a:1' }], version: 7 }, password: 'old', leads: true };
    await run(server, 'a:1,b:1');
    expect(server.config).toEqual({
      members: [
        { _id: 4, host: 'a:1' },
        { _id: 5, host: 'b:1' },
      ],
      version: 8,
    });
    expect(server.password).toBe(password);
  });

  test('leaves a set alone that another member leads', async () => {
    const server: Server = {
      config: { members: [{ _id: 0, host: 'a:1' }], version: 1 },
      password: 'old',
      leads: false,
    };
    expect(await run(structuredClone(server), 'a:1,b:1')).toEqual(server);
  });
});
