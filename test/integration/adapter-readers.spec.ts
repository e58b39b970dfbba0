import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { type Cluster, Heard, type Node, startCluster, until } from './adapter.cluster.ts';

let server: NatsServer;

beforeAll(async () => {
  server = await startNats();
});

afterAll(() => server.stop());

const maskedText = (text: string): Buffer => {
  const mask = randomBytes(4);
  const payload = Buffer.from(text).map((byte, index) => byte ^ (mask[index % 4] as number));
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, payload]);
};

/** A WebSocket client made of a TCP connection: it joins the namespace, then reads only when it is told to. */
async function rawClient({ url, io }: Node): Promise<TcpSocket> {
  const { port } = new URL(url);
  const joined = once(io, 'connection');
  const tcp = connect({ port: Number(port), host: '127.0.0.1' });
  await once(tcp, 'connect');
  const key = randomBytes(16).toString('base64');
  tcp.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  tcp.on('error', () => {});
  tcp.on('data', () => {});
  await once(tcp, 'data');
  tcp.write(maskedText('40'));
  await joined;
  return tcp;
}

async function startOne(adapter: object): Promise<{ cluster: Cluster; node: Node; cuts: string[] }> {
  const cuts: string[] = [];
  const onCut = (reason: string) => cuts.push(reason);
  const cluster = await startCluster(server.url, { count: 1, adapter: { onCut, ...adapter } });
  return { cluster, node: cluster.nodes[0] as Node, cuts };
}

/** Bytes that wait in this process for the connection of a socket. */
function heldFor(socket: { conn: unknown }): number {
  const { writeBuffer, transport } = socket.conn as {
    writeBuffer: { data?: string; options: { wsPreEncodedFrame?: Buffer[] } }[];
    transport: { socket: { _socket: { writableLength: number } | null } };
  };
  const queued = writeBuffer.map(({ data, options }) => options.wsPreEncodedFrame?.[0]?.length ?? data?.length ?? 0);
  return queued.reduce((sum, bytes) => sum + bytes, 0) + (transport.socket._socket?.writableLength ?? 0);
}

test('a client that does not read is cut before it holds 1 MiB, and the others hear everything', async () => {
  const { cluster, node, cuts } = await startOne({});
  const { client } = await node.client();
  const heard = new Heard(client, 'x');
  const tcp = await rawClient(node);
  const stuck = [...node.io.sockets.sockets.values()].find(({ id }) => id !== client.id);
  if (!stuck) throw new Error('the raw client is not there');
  const gone = once(stuck as never, 'disconnect');
  tcp.pause();
  const text = 'y'.repeat(10_000);
  let most = 0;
  let sent = 0;
  while (cuts.length === 0) {
    for (let n = 0; n < 5; n += 1) node.io.emit('x', `${sent++} ${text}`);
    await heard.times(sent);
    most = Math.max(most, heldFor(stuck));
    if (sent > 20_000) throw new Error('200 MB were sent and nobody was cut');
  }
  await gone;
  expect(cuts).toEqual(['bytes']);
  expect(most).toBeGreaterThan(500_000);
  expect(most).toBeLessThanOrEqual(1_048_576);
  node.io.emit('x', 'after');
  expect(await heard.times(sent + 1)).toHaveLength(sent + 1);
  tcp.destroy();
  await cluster.close();
});

test('a client that reads nothing for too long is cut, however little waits', async () => {
  const { cluster, node, cuts } = await startOne({ maxStall: 1_500, maxQueuedBytes: 64 * 1_048_576 });
  const tcp = await rawClient(node);
  const [stuck] = [...node.io.sockets.sockets.values()];
  tcp.pause();
  // As much as the system takes for itself, and a little more.
  for (let sent = 0; stuck && heldFor(stuck) === 0 && sent < 2_000; sent += 1) {
    node.io.emit('x', 'y'.repeat(10_000));
    await new Promise(setImmediate);
  }
  const stalled = performance.now();
  await until(() => cuts.length > 0, 'the client is cut');
  expect(cuts).toEqual(['time']);
  expect(performance.now() - stalled).toBeGreaterThan(1_000);
  tcp.destroy();
  await cluster.close();
});

test('a slow client that goes on reading is not cut', async () => {
  const { cluster, node, cuts } = await startOne({ maxStall: 3_000, maxQueuedBytes: 64 * 1_048_576 });
  const tcp = await rawClient(node);
  let read = 0;
  tcp.on('data', ({ length }) => {
    read += length;
    tcp.pause();
    setTimeout(() => tcp.resume(), 20);
  });
  for (let n = 0; n < 1_500; n += 1) node.io.emit('x', 'y'.repeat(10_000));
  await new Promise((resolve) => setTimeout(resolve, 7_000));
  expect(cuts).toEqual([]);
  expect(read).toBeGreaterThan(100_000);
  tcp.destroy();
  await cluster.close();
});

test('a single packet larger than the bound reaches a client that reads', async () => {
  const { cluster, node, cuts } = await startOne({ maxQueuedBytes: 10_000 });
  const { client } = await node.client();
  const heard = new Heard(client, 'x');
  const large = 'y'.repeat(300_000);
  for (let n = 0; n < 5; n += 1) {
    node.io.emit('x', large);
    await heard.times(n + 1);
  }
  expect(cuts).toEqual([]);
  await cluster.close();
});
