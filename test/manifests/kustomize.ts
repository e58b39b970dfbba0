import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { mergeInto, type Tree } from './merge.ts';
import type { KubeObject } from './objects.ts';

interface Generator {
  name: string;
  behavior?: 'create' | 'merge' | 'replace';
  files?: string[];
  literals?: string[];
}

interface Patch {
  path?: string;
  patch?: string;
  target: { kind: string };
}

/** What the kustomizations of this repository use of the format; another key is refused. */
interface Kustomization {
  resources?: string[];
  patches?: Patch[];
  configMapGenerator?: Generator[];
  secretGenerator?: Generator[];
  replicas?: { name: string; count: number }[];
  images?: { name: string; newName?: string; newTag?: string }[];
  labels?: { pairs: Record<string, string>; includeTemplates?: boolean }[];
  namespace?: string;
}

/** Kubernetes reads YAML 1.1, where 0440 is octal. */
const yaml = { version: '1.1' } as const;
const known = new Set([
  ...['apiVersion', 'kind', 'resources', 'patches', 'configMapGenerator', 'secretGenerator'],
  ...['replicas', 'images', 'labels', 'namespace'],
]);

/** The objects of a kustomization by `kubectl kustomize`; null where there is no kubectl. @throws Error of kubectl */
export async function renderByKubectl(directory: string): Promise<KubeObject[] | null> {
  try {
    const { stdout } = await promisify(execFile)('kubectl', ['kustomize', directory], { maxBuffer: 16 * 1024 * 1024 });
    return documents(stdout);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** The objects of a kustomization, read and merged here: names of generated objects stay without a hash. */
export async function renderHere(directory: string): Promise<KubeObject[]> {
  const file = parse(await readFile(join(directory, 'kustomization.yaml'), 'utf8'), yaml) as Kustomization;
  const unknown = Object.keys(file).find((key) => !known.has(key));
  if (unknown) throw new Error(`${directory}/kustomization.yaml: ${unknown} is not understood here`);
  let objects: KubeObject[] = [];
  for (const resource of file.resources ?? []) objects.push(...(await readResource(join(directory, resource))));
  for (const one of file.configMapGenerator ?? []) await generate('ConfigMap', one, directory, objects);
  for (const one of file.secretGenerator ?? []) await generate('Secret', one, directory, objects);
  for (const patch of file.patches ?? []) objects = await applyPatch(patch, directory, objects);
  for (const object of objects) finish(object, file);
  return objects;
}

/** By kubectl where it is there. */
export const render = async (directory: string): Promise<KubeObject[]> =>
  (await renderByKubectl(directory)) ?? renderHere(directory);

/** kubectl breaks long base64 into lines, which the API takes. */
function onOneLine(object: KubeObject): KubeObject {
  if (object.kind !== 'Secret') return object;
  const entries = Object.entries(object.data ?? {}).map(([key, value]) => [key, value.replaceAll('\n', '')]);
  return { ...object, data: Object.fromEntries(entries) };
}

const documents = (text: string): KubeObject[] =>
  parseAllDocuments(text, yaml).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return onOneLine(document.toJS() as KubeObject);
  });

const readResource = async (path: string): Promise<KubeObject[]> =>
  (await stat(path)).isDirectory() ? renderHere(path) : documents(await readFile(path, 'utf8'));

async function generate(kind: 'ConfigMap' | 'Secret', one: Generator, directory: string, objects: KubeObject[]) {
  const data: Record<string, string> = {};
  const encode = (text: string) => (kind === 'Secret' ? Buffer.from(text).toString('base64') : text);
  for (const file of one.files ?? []) data[file] = encode(await readFile(join(directory, file), 'utf8'));
  for (const literal of one.literals ?? []) {
    const at = literal.indexOf('=');
    data[literal.slice(0, at)] = encode(literal.slice(at + 1));
  }
  const there = objects.find((object) => object.kind === kind && object.metadata.name === one.name);
  if ((one.behavior ?? 'create') === 'create') {
    if (there) throw new Error(`${kind} ${one.name} is there already`);
    const type = kind === 'Secret' ? { type: 'Opaque' } : {};
    objects.push({ apiVersion: 'v1', kind, metadata: { name: one.name }, ...type, data });
  } else if (!there) throw new Error(`${kind} ${one.name} is not there`);
  else there.data = one.behavior === 'merge' ? { ...there.data, ...data } : data;
}

async function applyPatch({ path, patch, target }: Patch, directory: string, objects: KubeObject[]) {
  const text = patch ?? (await readFile(join(directory, path as string), 'utf8'));
  const { $patch, metadata: _, ...changes } = parse(text, yaml) as Tree & { $patch?: string };
  if ($patch === 'delete') return objects.filter(({ kind }) => kind !== target.kind);
  for (const object of objects) if (object.kind === target.kind) mergeInto(object as unknown as Tree, changes);
  return objects;
}

interface Owner {
  replicas?: number;
  template?: Tree & { spec: { containers: Tree[] } };
  volumeClaimTemplates?: Tree[];
}

function finish(object: KubeObject, { namespace, labels, replicas, images }: Kustomization): void {
  const spec = object.spec as Owner | undefined;
  if (namespace && object.kind !== 'Namespace') Object.assign(object.metadata, { namespace });
  for (const { pairs, includeTemplates } of labels ?? []) {
    mergeInto(object.metadata as unknown as Tree, { labels: pairs });
    const templates = [spec?.template, ...(spec?.volumeClaimTemplates ?? [])];
    for (const template of includeTemplates ? templates : []) {
      if (template) mergeInto(template, { metadata: { labels: pairs } });
    }
  }
  for (const { name, count } of replicas ?? []) {
    if (object.metadata.name === name && spec && 'replicas' in spec) spec.replicas = count;
  }
  for (const container of spec?.template?.spec.containers ?? []) {
    const [name, tag] = String(container.image).split(':');
    const image = images?.find((one) => one.name === name);
    if (image) container.image = `${image.newName ?? name}:${image.newTag ?? tag}`;
  }
}
