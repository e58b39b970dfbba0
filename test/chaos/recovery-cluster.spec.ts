import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { connectNats } from '../../shared/fanout/nats.connection.ts';
import { type Cluster, Heard, type Node, startCluster, until } from '../integration/adapter.cluster.ts';
import { type NatsCluster, startNatsCluster } from '../servers/nats.cluster.ts';
import type { NatsServer } from '../servers/nats.ts';
import { eventually } from '../system/clients/wait.ts';

const prefix = 'copies';
const adapter = { prefix, recovery: { storage: 'file', replicas: 3 } } as const;
const server = { connectionStateRecovery: {} };
/** Numbers before the leader ends, and after it. */
const before = 500;
const after = 3_000;

let nats: NatsCluster;
let cluster: Cluster | undefined;

beforeEach(async () => {
  nats = await startNatsCluster(3);
}, 60_000);

afterEach(async () => {
  await cluster?.close();
  cluster = undefined;
  await nats.stop();
}, 30_000);

const [first] = ['n0'];
const serverOf = (name = ''): NatsServer => {
  const found = nats.servers.get(name);
  if (!found) throw new Error(`no server of NATS is called ${name}`);
  return found;
};

async function leader(): Promise<string | undefined> {
  const link = await connectNats([serverOf(first).url], 'test');
  try {
    const jsm = await link.jetstreamManager({ checkAPI: false });
    const info = await jsm.streams.info(`${prefix}-fanout`).catch(() => undefined);
    return info?.cluster?.replicas?.length === 2 && info.cluster.replicas.every(({ current }) => current)
      ? info.cluster.leader
      : undefined;
  } finally {
    await link.close();
  }
}

test('nothing is lost where the server of NATS that leads the stream ends, and nobody was connected to it', async () => {
  const maker = await startCluster(serverOf(first).url, { count: 1, server, adapter });
  await until(async () => (await leader()) !== undefined, 'the stream has three copies', 30_000);
  const leads = await leader();
  await maker.close();
  const other = [...nats.servers.keys()].find((name) => name !== leads);
  cluster = await startCluster(serverOf(other).url, { count: 2, server, adapter });
  const [one, two] = cluster.nodes as [Node, Node];
  const { client, socket } = await two.client();
  await socket.join('a');
  const heard = new Heard(client, 'n');
  let disconnects = 0;
  client.on('disconnect', () => (disconnects += 1));
  one.io.to('a').emit('n', 0);
  await heard.times(1);
  let longest = 0;
  let heardAt = performance.now();
  client.on('n', () => {
    longest = Math.max(longest, performance.now() - heardAt);
    heardAt = performance.now();
  });
  let killed: Promise<void> | undefined;
  for (let n = 1; n <= before + after; n += 1) {
    one.io.to('a').emit('n', n);
    if (n === before) killed = serverOf(leads).kill('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await killed;
  const all = Array.from({ length: before + after + 1 }, (_, n) => n);
  const missing = async () => {
    const there = new Set(heard.values);
    return all.filter((n) => !there.has(n));
  };
  await eventually(missing, (some) => some.length === 0, 20_000);
  const twice = heard.values.length - new Set(heard.values).size;
  const late = heard.values.filter((value, at) => Number(value) < Number(heard.values[at - 1] ?? 0)).length;
  console.log(`the leader of the stream killed: nothing for ${Math.round(longest)} ms, ${late} times out of order`);
  expect({ twice, disconnects }).toEqual({ twice: 0, disconnects: 0 });
}, 90_000);
