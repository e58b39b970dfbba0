import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { copyManifests } from './checkout.ts';
import { hardeningProblems, modelProblems, referenceProblems } from './kubernetes.check.ts';
import { dataOf, kubernetesWorkloads } from './kubernetes.ts';
import { render, renderByKubectl, renderHere } from './kustomize.ts';
import { type KubeObject, ofKind, podOwners, titleOf } from './objects.ts';
import { unknownKeys } from './types.check.ts';
import { processes, workloadProblems } from './workload.check.ts';
import { isTrigate, roleOf } from './workload.ts';

let folder: string;
const rendered: Record<string, KubeObject[]> = {};
const directories = ['k8s/base', 'k8s/overlays/example', 'k8s/overlays/small'];
const overlays = directories.slice(1);

beforeAll(async () => {
  folder = await copyManifests();
  for (const directory of directories) rendered[directory] = await render(join(folder, directory));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const objectsOf = (directory: string): KubeObject[] => structuredClone(rendered[directory] as KubeObject[]);
/** A copy in which every text that is `from` is `to`. */
const altered = (directory: string, from: string, to: string): KubeObject[] => {
  const text = JSON.stringify(objectsOf(directory));
  expect(text).toContain(JSON.stringify(from));
  return JSON.parse(text.replaceAll(JSON.stringify(from), JSON.stringify(to)));
};

describe.each(directories)('%s', (directory) => {
  test('is what the models of Kubernetes allow', async () => {
    expect(await modelProblems(objectsOf(directory))).toEqual([]);
  });

  test('has no key Kubernetes does not know', async () => {
    expect(await unknownKeys(objectsOf(directory))).toEqual([]);
  });

  test('names only what is there: pods, ports, Services, targets', () => {
    expect(referenceProblems(objectsOf(directory))).toEqual([]);
  });

  test('lets no pod have more than it needs', () => {
    expect(hardeningProblems(objectsOf(directory))).toEqual([]);
  });

  test('holds no secret that is not generated', () => {
    const secrets = ofKind(objectsOf(directory), 'Secret').map(({ metadata }) => metadata.name.replace(/-\w{10}$/, ''));
    expect(secrets.sort()).toEqual(directory === 'k8s/base' ? [] : ['mongodb', 'nats', 'trigate']);
  });
});

describe.each(overlays)('%s', (directory) => {
  test('gives every process of Trigate a Deployment that can start, and no other', () => {
    const own = kubernetesWorkloads(objectsOf(directory)).filter(isTrigate);
    expect(own.flatMap(workloadProblems)).toEqual([]);
    expect(own.map(roleOf).sort()).toEqual([...processes].sort());
    expect(own.map(({ name }) => name)).toEqual(own.map(roleOf));
  });

  test('asks every process for /live and /ready, and gives it longer to end than a drain takes', () => {
    const own = kubernetesWorkloads(objectsOf(directory)).filter(isTrigate);
    for (const { probes } of own) {
      expect(new Set(probes.map(({ kind, path }) => `${kind} ${path}`))).toEqual(
        new Set(['live /live', 'ready /ready']),
      );
    }
    for (const { name, template } of podOwners(objectsOf(directory))) {
      if (processes.includes(name)) expect(template.spec?.terminationGracePeriodSeconds).toBeGreaterThan(30);
    }
  });

  test('every process may be scaled and moved unless there is to be one of each', () => {
    const names = (kind: string) => ofKind(objectsOf(directory), kind).map(({ metadata }) => metadata.name);
    expect(names('PodDisruptionBudget')).toEqual(expect.arrayContaining([...processes]));
    expect(names('HorizontalPodAutoscaler').sort()).toEqual(directory.endsWith('small') ? [] : [...processes].sort());
  });

  test('makes as many copies of events as the cluster of NATS can hold', () => {
    const objects = objectsOf(directory);
    const shared = ofKind(objects, 'ConfigMap').find(({ metadata }) =>
      /^trigate-\w{10}$|^trigate$/.test(metadata.name),
    );
    const servers = podOwners(objects).find(({ name }) => name === 'nats')?.replicas;
    expect(dataOf(objects, 'ConfigMap', shared?.metadata.name as string).NATS_REPLICAS).toBe(String(servers));
  });

  test('names as many members of the replica set as it starts', () => {
    const { replicas, env } = kubernetesWorkloads(objectsOf(directory)).reduce(
      (found, { name, replicas, env }) => ({
        replicas: name === 'mongodb' ? replicas : found.replicas,
        env: name === 'mongodb-init' ? env : found.env,
      }),
      { replicas: 0, env: {} as Record<string, string> },
    );
    const members = Array.from({ length: replicas }, (_, at) => `mongodb-${at}.mongodb-peers:27017`);
    expect(env.MEMBERS).toBe(members.join(','));
  });
});

describe('the checks find', () => {
  const example = 'k8s/overlays/example';

  test('a key that is misspelled', async () => {
    const text = JSON.stringify(objectsOf(example)).replace('"readinessProbe"', '"readinesProbe"');
    expect(await unknownKeys(JSON.parse(text))).toEqual([expect.stringContaining('"readinesProbe"')]);
  });

  test('a value of the wrong type', async () => {
    const objects = objectsOf(example);
    (ofKind(objects, 'Service')[0] as { spec: { ports: unknown } }).spec.ports = 'many';
    expect(await modelProblems(objects)).toHaveLength(1);
  });

  test('a selector that selects nothing', () => {
    const objects = objectsOf(example);
    const service = ofKind(objects, 'Service').find(({ metadata }) => metadata.name === 'gateway-http');
    (service?.spec as { selector: object }).selector = { 'app.kubernetes.io/name': 'gateway-htpp' };
    expect(referenceProblems(objects)).toEqual(['Service gateway-http: selects 0 kinds of pods']);
  });

  test('a port no container has', () => {
    const problems = referenceProblems(altered(example, 'socketio', 'sockets').map(withPort('gateway-socketio')));
    expect(problems).toContain('Service gateway-socketio: no container has a port nothing');
  });

  test('a secret, a ConfigMap or a key of them that is not there', () => {
    expect(() => kubernetesWorkloads(altered(example, 'nats-url', 'nats-uri').map(secretsAs(example)))).toThrow(
      /^Secret trigate\S* has no nats-uri$/,
    );
    const objects = objectsOf(example).filter(({ kind }) => kind !== 'ConfigMap');
    expect(() => kubernetesWorkloads(objects)).toThrow(/^ConfigMap \S+ is not there$/);
  });

  test('a variable nothing reads, a file that is not mounted, a port nobody listens on', () => {
    const problemsOf = (from: string, to: string) =>
      kubernetesWorkloads(altered(example, from, to))
        .filter(isTrigate)
        .flatMap(workloadProblems);
    expect(problemsOf('MQTT_USERNAME', 'MQTT_USER')).toEqual(['gateway-mqtt: sets MQTT_USER, which nothing reads']);
    expect(problemsOf('/run/secrets/mqtt/mqtt-password', '/run/secrets/mqtt-password')).toEqual([
      'gateway-mqtt: MQTT_PASSWORD_FILE names no mounted file',
    ]);
    const [own] = kubernetesWorkloads(objectsOf(example)).filter(({ name }) => name === 'gateway-http');
    expect(own && workloadProblems({ ...own, ports: [3001] })).toEqual(['gateway-http: nothing listens on port 3001']);
  });

  const withPort = (name: string) => (object: KubeObject) => {
    if (object.kind === 'Service' && object.metadata.name === name) {
      (object.spec as { ports: { targetPort: string }[] }).ports = [{ targetPort: 'nothing' }];
    }
    return object;
  };
  const secretsAs = (directory: string) => (object: KubeObject) =>
    object.kind === 'Secret'
      ? (objectsOf(directory).find((one) => titleOf(one) === titleOf(object)) ?? object)
      : object;
});

test.each(directories)('without kubectl %s is read the same', async (directory) => {
  const byKubectl = await renderByKubectl(join(folder, directory));
  // Without kubectl every other test here has read it the one way there is.
  if (!byKubectl) return;
  const here = await renderHere(join(folder, directory));
  expect(sorted(here)).toEqual(sorted(withoutHashes(byKubectl)));
});

/** Names of what kubectl generates end in a hash of what is in it. */
function withoutHashes(objects: KubeObject[]): KubeObject[] {
  const generated = objects
    .filter(({ kind, metadata }) => ['ConfigMap', 'Secret'].includes(kind) && /-\w{10}$/.test(metadata.name))
    .map(({ metadata }) => metadata.name);
  const text = JSON.stringify(objects);
  return JSON.parse(generated.reduce((all, name) => all.replaceAll(`"${name}"`, `"${name.slice(0, -11)}"`), text));
}

const sorted = (objects: KubeObject[]) => objects.map((object) => [titleOf(object), object] as const).sort(byTitle);
const byTitle = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]) => (one < other ? -1 : 1);
