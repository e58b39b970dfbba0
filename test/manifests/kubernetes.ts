import type { IContainer, IProbe } from 'kubernetes-models/v1';
import { containersOf, type KubeObject, type PodOwner, podOwners } from './objects.ts';
import type { Workload } from './workload.ts';

type Data = Record<string, string>;

/** The containers that objects describe, with what ConfigMaps and Secrets give them. @throws Error for what is missing */
export const kubernetesWorkloads = (objects: readonly KubeObject[]): Workload[] =>
  podOwners(objects).flatMap((owner) => containersOf(owner).map((container) => workloadOf(owner, container, objects)));

function workloadOf(owner: PodOwner, container: IContainer, objects: readonly KubeObject[]): Workload {
  const { files, directories } = mounted(owner, container, objects);
  return {
    name: owner.name,
    image: container.image ?? '',
    replicas: owner.replicas,
    command: [...(container.command ?? []), ...(container.args ?? [])],
    env: environment(container, objects),
    files,
    directories,
    ports: (container.ports ?? []).map(({ containerPort }) => containerPort),
    probes: probesOf(container),
  };
}

/** What a ConfigMap or a Secret holds, as text. @throws Error where there is none of that name */
export function dataOf(objects: readonly KubeObject[], kind: 'ConfigMap' | 'Secret', name: string): Data {
  const object = objects.find((candidate) => candidate.kind === kind && candidate.metadata.name === name);
  if (!object) throw new Error(`${kind} ${name} is not there`);
  const decode = (text: string) => (kind === 'Secret' ? Buffer.from(text, 'base64').toString() : text);
  return Object.fromEntries(Object.entries(object.data ?? {}).map(([key, value]) => [key, decode(value)]));
}

function keyOf(objects: readonly KubeObject[], kind: 'ConfigMap' | 'Secret', name: string, key: string): string {
  const value = dataOf(objects, kind, name)[key];
  if (value === undefined) throw new Error(`${kind} ${name} has no ${key}`);
  return value;
}

function environment(container: IContainer, objects: readonly KubeObject[]): Data {
  const env: Data = {};
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef?.name) Object.assign(env, dataOf(objects, 'ConfigMap', configMapRef.name));
    if (secretRef?.name) Object.assign(env, dataOf(objects, 'Secret', secretRef.name));
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    const { configMapKeyRef: map, secretKeyRef: secret, fieldRef } = valueFrom ?? {};
    if (value !== undefined) env[name] = value;
    else if (map) env[name] = keyOf(objects, 'ConfigMap', map.name as string, map.key);
    else if (secret) env[name] = keyOf(objects, 'Secret', secret.name as string, secret.key);
    else if (fieldRef) env[name] = `{${fieldRef.fieldPath}}`;
    else throw new Error(`${name} has no value`);
  }
  return env;
}

function mounted({ template, kind, name }: PodOwner, container: IContainer, objects: readonly KubeObject[]) {
  const files: Data = {};
  const directories: string[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const volume = template.spec?.volumes?.find((candidate) => candidate.name === mount.name);
    const source = volume?.secret ?? volume?.configMap;
    // A StatefulSet has volumes beside those of its template.
    if (!volume && kind !== 'StatefulSet') throw new Error(`${name} has no volume ${mount.name}`);
    if (!source) {
      directories.push(mount.mountPath);
      continue;
    }
    const [of, from] = volume?.secret
      ? (['Secret', volume.secret.secretName] as const)
      : (['ConfigMap', volume?.configMap?.name] as const);
    const all = dataOf(objects, of, from as string);
    const items = source.items ?? Object.keys(all).map((key) => ({ key, path: key }));
    for (const { key, path } of items) {
      files[`${mount.mountPath}/${path}`] = keyOf(objects, of, from as string, key);
    }
  }
  return { files, directories };
}

function probesOf(container: IContainer): Workload['probes'] {
  const probe = (kind: 'live' | 'ready', { httpGet }: IProbe = {}) => {
    if (!httpGet) return [];
    const port = container.ports?.find(({ name }) => name === httpGet.port)?.containerPort ?? Number(httpGet.port);
    return [{ kind, path: httpGet.path ?? '/', port }];
  };
  return [
    ...probe('live', container.startupProbe),
    ...probe('live', container.livenessProbe),
    ...probe('ready', container.readinessProbe),
  ];
}
