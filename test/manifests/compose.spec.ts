import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { copyManifests, makeSecrets } from './checkout.ts';
import { type Compose, composeWorkloads, interpolate, mountsOf, readCompose, variablesIn } from './compose.ts';
import { repository } from './local.ts';
import { processes, workloadProblems } from './workload.check.ts';
import { isTrigate, roleOf, type Workload } from './workload.ts';

let folder: string;
let compose: Compose;
let workloads: Workload[];

beforeAll(async () => {
  folder = await copyManifests();
  compose = await readCompose(join(folder, 'docker-compose.yml'));
  workloads = await composeWorkloads(compose, folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const everyService = () => Object.entries(compose.services);
const secrets = async (): Promise<string[]> => {
  const { secretGenerator } = parse(await readFile(join(folder, 'secrets/kustomization.yaml'), 'utf8'));
  return (secretGenerator as { files: string[] }[]).flatMap(({ files }) => files).sort();
};

describe('docker-compose.yml', () => {
  test('has a container for every process of Trigate, and no other', () => {
    const own = workloads.filter(isTrigate);
    expect(own.flatMap(workloadProblems)).toEqual([]);
    expect(own.map(roleOf).sort()).toEqual([...processes].sort());
    for (const workload of own) expect(roleOf(workload)).toMatch(new RegExp(`${workload.name}$`));
  });

  test('names only networks, volumes, secrets, configs and services that it declares', () => {
    for (const [name, service] of everyService()) {
      for (const { kind, source } of mountsOf(service))
        expect([name, Object.keys(compose[kind])]).toEqual([name, expect.arrayContaining([source])]);
      expect(Object.keys(compose.networks)).toEqual(expect.arrayContaining(service.networks ?? []));
      const volumes = (service.volumes ?? []).map((volume) => volume.split(':')[0]);
      expect(Object.keys(compose.volumes)).toEqual(expect.arrayContaining(volumes));
    }
  });

  test('waits only for what can come: a health check, or an end', () => {
    for (const [name, { depends_on = {} }] of everyService()) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const awaited = compose.services[other];
        const healthy = awaited && (awaited.healthcheck || isTrigate({ image: awaited.image } as Workload));
        const ends = awaited && !/^(unless-stopped|always)$/.test(awaited.restart ?? 'no');
        expect([name, other, condition === 'service_healthy' ? Boolean(healthy) : ends]).toEqual([name, other, true]);
      }
    }
  });

  test('reads the secrets that are generated, each of them and no other', async () => {
    expect(
      Object.values(compose.secrets)
        .map(({ file }) => file.replace('secrets/', ''))
        .sort(),
    ).toEqual(await secrets());
  });

  test('takes from .env only what .env.example explains, with the same defaults', async () => {
    const text = await readFile(join(folder, 'docker-compose.yml'), 'utf8');
    const example = await readFile(join(repository, '.env.example'), 'utf8');
    const given = Object.fromEntries(
      [...example.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
    );
    expect(Object.keys(given).sort()).toEqual(variablesIn(text).sort());
    expect(await readCompose(join(folder, 'docker-compose.yml'), given)).toEqual(compose);
  });

  test('publishes nothing to other machines and keeps stores and bus inside', () => {
    for (const [name, { ports = [], networks = [] }] of everyService()) {
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
      if (/^(nats|mongodb)/.test(name)) expect(networks.filter((network) => network !== 'inside')).toEqual([]);
    }
    expect(compose.networks.inside).toEqual({ internal: true });
  });

  test('gives processes no more than they need and the time a drain takes', () => {
    for (const workload of workloads.filter(isTrigate)) {
      const service = compose.services[workload.name];
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], stop_grace_period: '40s' });
    }
  });
});

test('variables of a compose file are replaced as docker does', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how a compose file writes it
  expect(interpolate('${A:-x} ${B} $$C ${D:-}', { B: 'b', D: 'd' })).toBe('x b $C d');
  expect(() => interpolate('$A', {})).toThrow(/no variable/);
});

describe('secrets/generate.sh', () => {
  test('makes every secret, keeps those that are there, and closes its directory', async () => {
    const names = await secrets();
    const read = () => Promise.all(names.map((name) => readFile(join(folder, 'secrets', name), 'utf8')));
    const before = await read();
    expect(before.every((text) => text.trim().length >= 16)).toBe(true);
    expect(new Set(before).size).toBe(names.length);
    await makeSecrets(folder);
    expect(await read()).toEqual(before);
    expect((await stat(join(folder, 'secrets'))).mode & 0o777).toBe(0o700);
  });

  test('none of them can be committed or gets into the image', async () => {
    const ignored = (await readFile(join(repository, 'secrets/.gitignore'), 'utf8')).trim().split('\n');
    const kept = ignored.slice(1).map((line) => line.replace(/^!/, ''));
    expect(ignored[0]).toBe('*');
    expect(kept.filter((name) => !/^(\.gitignore|generate\.sh|kustomization\.yaml)$/.test(name))).toEqual([]);
    const lines = (await readFile(join(repository, '.dockerignore'), 'utf8')).trim().split('\n');
    expect(lines[0]).toBe('**');
    expect(lines.filter((line) => line.startsWith('!') && /secrets|k8s|data|test/.test(line))).toEqual([]);
  });
});
