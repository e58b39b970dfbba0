import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { copyManifests, imageHealthCheck } from '../manifests/checkout.ts';
import { composeWorkloads, readCompose } from '../manifests/compose.ts';
import { type Backends, type LocalTrigate, several, startBackends, startTrigate } from '../manifests/installation.ts';
import { kubernetesWorkloads } from '../manifests/kubernetes.ts';
import { render } from '../manifests/kustomize.ts';
import { answers200 } from '../manifests/local.ts';
import { listensOn, processes, workloadProblems } from '../manifests/workload.check.ts';
import { isTrigate, roleOf, type Workload } from '../manifests/workload.ts';

let folder: string;
beforeAll(async () => {
  folder = await copyManifests();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const sources: [string, () => Promise<Workload[]>][] = [
  ['docker-compose.yml', async () => composeWorkloads(await readCompose(join(folder, 'docker-compose.yml')), folder)],
  ['k8s/overlays/example', async () => kubernetesWorkloads(await render(join(folder, 'k8s/overlays/example')))],
];

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

describe.each(sources)('%s as processes of this machine', (_name, read) => {
  let workloads: Workload[];
  let backends: Backends;
  const started: LocalTrigate[] = [];
  const startAll = async (tier: string) => {
    const mine = workloads.filter((workload) => isTrigate(workload) && roleOf(workload).startsWith(tier));
    started.push(...(await several(mine, 4, (workload) => startTrigate(workload, backends))));
  };
  const stopAll = (tier: string) =>
    Promise.all(
      started
        .filter(({ workload }) => roleOf(workload).startsWith(tier))
        .map(async ({ workload, running }) => {
          await running.stop();
          return [workload.name, running.exitCode];
        }),
    );

  beforeAll(async () => {
    workloads = await read();
    backends = await startBackends(workloads, join(folder, `run-${Date.now()}`));
  }, 60_000);
  afterAll(async () => {
    await Promise.all(started.map(({ running }) => running.stop()));
    await backends?.stop();
  });

  test('every process gets ready by its own command and variables', async () => {
    await startAll('service');
    await startAll('gateway');
    expect(started.map(({ workload }) => roleOf(workload)).sort()).toEqual([...processes].sort());
  }, 60_000);

  test('every port and probe of a manifest is answered', async () => {
    for (const { workload, port, url } of started) {
      for (const probe of workload.probes) expect(await answers200(url(probe.port, probe.path))).toBe(true);
      for (const one of workload.ports)
        expect([workload.name, await accepts(port(one))]).toEqual([workload.name, true]);
    }
  });

  test('metrics are told at METRICS_PORT and at no port that clients reach', async () => {
    const told = async (url: string) => (await fetch(url)).status;
    for (const { workload, url } of started) {
      const { METRICS_PORT, ...others } = listensOn(workload);
      expect([workload.name, await told(url(METRICS_PORT as number, '/metrics'))]).toEqual([workload.name, 200]);
      for (const port of Object.values(others)) {
        expect([workload.name, await told(url(port, '/metrics')), await told(url(port, '/health'))]).toEqual([
          workload.name,
          404,
          200,
        ]);
      }
    }
  });

  test("the image's health check tells a process that runs from one that does not", async () => {
    const [command, ...args] = await imageHealthCheck();
    expect(command).toBe('node');
    const check = (env: NodeJS.ProcessEnv) => promisify(execFile)(process.execPath, args, { env });
    await several(started, 3, ({ env }) => check(env));
    await expect(check({ METRICS_PORT: '1' })).rejects.toMatchObject({ code: 1 });
  });

  test('a command or a variable that is wrong does not get ready', async () => {
    const auth = started.find(({ workload }) => roleOf(workload) === 'service-auth')?.workload as Workload;
    const refused = async (changes: Partial<Workload>, message: RegExp) => {
      const wrong = { ...auth, ...changes };
      expect(workloadProblems(wrong)).not.toEqual([]);
      await expect(startTrigate(wrong, backends)).rejects.toThrow(message);
    };
    expect(workloadProblems(auth)).toEqual([]);
    await refused({ command: ['node', 'services/main.ts', 'oauth'] }, /there is no service oauth/);
    await refused({ command: ['node', 'service/main.ts', 'auth'] }, /did not start/);
    const { NATS_URL_FILE, ...others } = auth.env;
    await refused({ env: { ...others, NATS_URLS_FILE: NATS_URL_FILE as string } }, /NATS_URL: is not set/);
    await refused({ env: { ...auth.env, TRIGATE_PORT: '1' } }, /TRIGATE_PORT: is not a variable of Trigate/);
  }, 60_000);

  test('every process ends with 0 on SIGTERM', async () => {
    for (const tier of ['gateway', 'service']) {
      const ends = await stopAll(tier);
      expect(ends).toEqual(ends.map(([name]) => [name, 0]));
    }
  }, 60_000);
});
