import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { startMongo } from '../servers/mongodb.ts';
import { natsServerCommand } from '../servers/nats.ts';
import { freePort } from '../servers/ports.ts';
import type { Running } from '../servers/process.ts';
import { answers200, localProcess, startWorkload } from './local.ts';
import { listensOn } from './workload.check.ts';
import type { Workload } from './workload.ts';

/** The servers of an installation on this machine, and where its names lead. */
export interface Backends {
  folder: string;
  addresses: Record<string, string>;
  stop(): Promise<void>;
}

const here = '127.0.0.1';
const named = (workloads: readonly Workload[], name: string): Workload => {
  const found = workloads.find((workload) => workload.name === name);
  if (!found) throw new Error(`there is no ${name}`);
  return found;
};

/** NATS and Mosquitto by their manifests' commands and files; MongoDB by whatever tests have. */
export async function startBackends(workloads: readonly Workload[], folder: string): Promise<Backends> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    await Promise.all(stops.map((end) => end()));
  };
  try {
    const mongo = await startMongo();
    stops.push(() => mongo.stop());
    const nats = await startNatsServers(named(workloads, 'nats'), folder);
    stops.push(...nats.servers.map((server) => () => server.stop()));
    const mosquitto = await startMosquitto(named(workloads, 'mosquitto'), folder);
    stops.push(() => mosquitto.server.stop());
    const mongodb = { [mongoUrl(workloads)]: mongo.url };
    return { folder, addresses: { ...nats.addresses, ...mosquitto.addresses, ...mongodb }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What the services are told; the test's MongoDB has neither a replica set nor users. */
function mongoUrl(workloads: readonly Workload[]): string {
  const path = named(workloads, workloads.some(({ name }) => name === 'auth') ? 'auth' : 'service-auth');
  const url = path.files[path.env.MONGODB_URL_FILE ?? '']?.trim() ?? '';
  if (!/^mongodb:\/\/trigate:\w+@mongodb:27017\/trigate\?replicaSet=rs0$/.test(url)) {
    throw new Error('the address of MongoDB is not that of the manifests');
  }
  return url;
}

async function startNatsServers(workload: Workload, folder: string) {
  const ports = await Promise.all(
    Array.from({ length: workload.replicas }, async () => ({
      client: await freePort(),
      monitor: await freePort(),
      cluster: await freePort(),
    })),
  );
  const command = await natsServerCommand();
  const peers = ports.map(({ cluster }, at) => [`nats-${at}.nats-peers:6222`, `${here}:${cluster}`]);
  const [probe] = workload.probes.filter(({ kind }) => kind === 'ready');
  const servers = ports.map(({ client, monitor, cluster }, at) =>
    startWorkload(
      workload,
      {
        folder: join(folder, `nats-${at}`),
        addresses: {
          ...Object.fromEntries(peers),
          'port: 4222': `listen: ${here}:${client}`,
          'http: 8222': `http: ${here}:${monitor}`,
          'port: 6222': `listen: ${here}:${cluster}`,
        },
        env: { POD_NAME: `nats-${at}` },
        path: [dirname(command)],
      },
      () => answers200(`http://${here}:${monitor}${probe?.path}`),
    ),
  );
  const addresses = { 'nats:4222': `${here}:${ports[0]?.client}` };
  return { servers: await Promise.all(servers), addresses };
}

async function startMosquitto(workload: Workload, folder: string) {
  const port = await freePort();
  const asRoot = process.getuid?.() === 0 ? 'user root\n' : '';
  const plugin = 'mosquitto_dynamic_security.so';
  const server = await startWorkload(
    workload,
    {
      folder: join(folder, 'mosquitto'),
      addresses: { 'listener 1883': `${asRoot}listener ${port} ${here}`, [`/usr/lib/${plugin}`]: findPlugin(plugin) },
      path: ['/usr/sbin', '/usr/local/sbin'],
    },
    /mosquitto version \S+ running/,
  );
  return { server, addresses: { 'mosquitto:1883': `${here}:${port}` } };
}

/** Debian keeps it in a folder that is named by the processor. */
function findPlugin(name: string): string {
  const folders = ['/usr/lib', ...readdirSync('/usr/lib').map((folder) => join('/usr/lib', folder))];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (!found) throw new Error(`${name} of Mosquitto is not under /usr/lib`);
  return found;
}

export interface LocalTrigate {
  workload: Workload;
  running: Running;
  /** Of this machine, for a port of the container. */
  port(container: number): number;
  url(container: number, path: string): string;
  env: NodeJS.ProcessEnv;
}

/** A container of Trigate as a process that is ready: `/ready` on the port its manifest says. @throws Error with its output */
export async function startTrigate(
  workload: Workload,
  { folder, addresses }: Pick<Backends, 'folder' | 'addresses'>,
): Promise<LocalTrigate> {
  const listening = Object.entries(listensOn(workload));
  const ports = await Promise.all(listening.map(async ([name, port]) => ({ name, port, free: await freePort() })));
  const local = (container: number) => {
    const found = ports.find(({ port }) => port === container);
    if (!found) throw new Error(`${workload.name} does not listen on ${container}`);
    return found.free;
  };
  const url = (container: number, path: string) => `http://${here}:${local(container)}${path}`;
  const substitutions = {
    folder: join(folder, workload.name),
    addresses,
    env: {
      HOST: here,
      DRAIN_DELAY_MS: '0',
      ...Object.fromEntries(ports.map(({ name, free }) => [name, String(free)])),
    },
  };
  const probe = workload.probes.find(({ kind }) => kind === 'ready');
  const ready = url(probe?.port ?? Number(workload.env.METRICS_PORT), probe?.path ?? '/ready');
  const running = await startWorkload(workload, substitutions, () => answers200(ready));
  return { workload, running, port: local, url, env: localProcess(workload, substitutions).env };
}

/** As `Promise.all` over the results of `work`, with at most `limit` of them under way. */
export async function several<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const worker = async () => {
    for (const [at, item] of waiting) results[at] = await work(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}
