import { type NatsServer, startNats } from './nats.ts';
import { freePort } from './ports.ts';

export interface NatsCluster {
  /** By the names that JetStream tells: `n0`, `n1` … */
  servers: ReadonlyMap<string, NatsServer>;
  stop(): Promise<void>;
}

/** So many nats-servers with JetStream that are one cluster; a stream may have as many copies. */
export async function startNatsCluster(count: number): Promise<NatsCluster> {
  const ports: number[] = [];
  // One after the other, so that no two are given the same port.
  while (ports.length < count) ports.push(await freePort());
  const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join();
  const servers = new Map<string, NatsServer>();
  const stop = async () => {
    await Promise.all([...servers.values()].map((server) => server.stop()));
  };
  try {
    for (const [at, port] of ports.entries()) {
      const name = `n${at}`;
      const cluster = ['--cluster_name', 'test', '--cluster', `nats://127.0.0.1:${port}`, '--routes', routes];
      servers.set(name, await startNats({ args: ['--server_name', name, ...cluster] }));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { servers, stop };
}
