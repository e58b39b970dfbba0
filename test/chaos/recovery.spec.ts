import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Cluster, type Node, startCluster, until } from '../integration/adapter.cluster.ts';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { Wanderer } from './recovery.client.ts';
import { judge, sum } from './recovery.rules.ts';

let server: NatsServer;

beforeAll(async () => {
  server = await startNats();
});

afterAll(() => server.stop());

const pick = <T>(some: readonly T[]): T => some[Math.floor(Math.random() * some.length)] as T;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Numbers for all clients, from all servers in turn, for all the ways to name them; one publisher at a time. */
function startNumbers(nodes: readonly Node[], pauseMs: number) {
  let count = 0;
  let stopped = false;
  const send = () => {
    const { io } = nodes[0] as Node;
    const n = count++;
    if (n % 4 === 0) io.emit('n', n);
    else if (n % 4 === 1) io.to('room').emit('n', n);
    else if (n % 4 === 2) io.to('room').to('other').emit('n', n);
    else io.to('other').except('nobody').emit('n', n);
  };
  const run = async () => {
    while (!stopped) {
      send();
      await sleep(pauseMs);
    }
  };
  const running = run();
  return {
    async stop() {
      stopped = true;
      await running;
      return Array.from({ length: count }, (_, n) => n);
    },
  };
}

async function startServers(options: object = {}): Promise<Cluster & { nodes: Node[] }> {
  const cluster = await startCluster(server.url, {
    server: { connectionStateRecovery: { skipMiddlewares: false } },
    ...options,
  });
  for (const { io } of cluster.nodes) {
    io.use(async (_socket, next) => {
      await sleep(Math.random() * 5);
      next();
    });
    io.on('connection', (socket) => {
      if (!socket.recovered) socket.join(['room', 'other']);
    });
  }
  return cluster;
}

test('sessions that come back 2,000 times, half to another server, miss nothing and hear nothing twice', async () => {
  const cluster = await startServers();
  const clients = Array.from({ length: 20 }, () => new Wanderer());
  await Promise.all(clients.map((client) => client.connect(pick(cluster.nodes).url)));
  const numbers = startNumbers(cluster.nodes, 2);
  await until(() => clients.every(({ life }) => life && life.numbers.length > 0), 'everybody heard something');
  const urls = cluster.nodes.map(({ url }) => url);
  await Promise.all(clients.map((client) => client.wander(urls, 100)));
  const all = await numbers.stop();
  const last = all.at(-1) as number;
  await until(() => clients.every(({ life }) => life?.numbers.at(-1) === last), 'everybody heard the last number');
  const found = sum(clients.flatMap(({ lives }) => lives.map((life) => judge(life, all))));
  const recoveries = clients.reduce((total, client) => total + client.recoveries, 0);
  console.log(`${recoveries} of 2000 reconnects recovered; ${all.length} numbers; ${JSON.stringify(found)}`);
  expect(found).toEqual({ missing: 0, twice: 0, disordered: 0 });
  expect(recoveries).toBe(2_000);
  for (const client of clients) client.close();
  await cluster.close();
}, 120_000);
