import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Workload } from './workload.ts';

interface Mounted {
  source: string;
  target?: string;
}

export interface ComposeService {
  image: string;
  build?: unknown;
  user?: string;
  hostname?: string;
  restart?: string;
  read_only?: boolean;
  cap_drop?: string[];
  stop_grace_period?: string;
  entrypoint?: string[];
  command?: string[];
  environment?: Record<string, string>;
  secrets?: (string | Mounted)[];
  configs?: (string | Mounted)[];
  volumes?: string[];
  tmpfs?: string[];
  networks?: string[];
  ports?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
}

export interface Compose {
  services: Record<string, ComposeService>;
  secrets: Record<string, { file: string }>;
  configs: Record<string, { file: string }>;
  networks: Record<string, unknown>;
  volumes: Record<string, unknown>;
}

/** docker-compose.yml as `docker compose` reads it: with merge keys and with variables from `env`. */
export async function readCompose(file: string, env: Record<string, string> = {}): Promise<Compose> {
  const compose = parse(await readFile(file, 'utf8'), { merge: true }) as unknown;
  return eachText(compose, (text) => interpolate(text, env)) as Compose;
}

function eachText(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => eachText(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, eachText(item, change)]));
}

/** `${NAME}`, `${NAME:-default}` and `$$`; anything else with a dollar is refused. */
export function interpolate(text: string, env: Record<string, string>): string {
  return text.replace(/\$(?:(\$)|\{([A-Z_]+)(?::-([^}]*))?\}|)/g, (match, dollar, name, fallback) => {
    if (dollar) return '$';
    if (!name) throw new Error(`${match} in ${text} is no variable`);
    return env[name] || (fallback ?? '');
  });
}

/** Names of variables a file takes from `.env`. */
export const variablesIn = (text: string): string[] => [
  ...new Set([...text.matchAll(/(?<!\$)\$\{([A-Z_]+)/g)].map(([, name]) => name as string)),
];

const asMounted = (item: string | Mounted): Mounted => (typeof item === 'string' ? { source: item } : item);

/** Paths in the container to names of secrets and configs. */
export function mountsOf(service: ComposeService): { path: string; kind: 'secrets' | 'configs'; source: string }[] {
  const place = (kind: 'secrets' | 'configs', folder: string) =>
    (service[kind] ?? []).map(asMounted).map(({ source, target = source }) => ({
      path: target.startsWith('/') ? target : `${folder}${target}`,
      kind,
      source,
    }));
  return [...place('secrets', '/run/secrets/'), ...place('configs', '/')];
}

/** A health check that asks a URL of its own container. */
function askedByHttp({ healthcheck }: ComposeService): Workload['probes'] {
  const [, port, path = '/'] = /http:\/\/127\.0\.0\.1:(\d+)(\/\S*)/.exec(healthcheck?.test.join(' ') ?? '') ?? [];
  return port === undefined ? [] : [{ kind: 'ready', path, port: Number(port) }];
}

/** The containers of the file; `root` is what its paths are relative to. */
export function composeWorkloads(compose: Compose, root: string): Promise<Workload[]> {
  return Promise.all(
    Object.entries(compose.services).map(async ([name, service]) => {
      const files: Record<string, string> = {};
      for (const { path, kind, source } of mountsOf(service)) {
        files[path] = await readFile(join(root, compose[kind][source]?.file ?? `${source} is not declared`), 'utf8');
      }
      return {
        name,
        image: service.image,
        replicas: 1,
        command: [...(service.entrypoint ?? []), ...(service.command ?? [])],
        env: { ...(service.hostname && { HOSTNAME: service.hostname }), ...service.environment },
        files,
        directories: [
          ...(service.tmpfs ?? []),
          ...(service.volumes ?? []).map((volume) => volume.split(':')[1] ?? ''),
        ].map((path) => path.replace(/:.*/, '')),
        ports: (service.ports ?? []).map((published) => Number(published.split(':').at(-1))),
        probes: askedByHttp(service),
      };
    }),
  );
}
