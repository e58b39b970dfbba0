import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import * as parser from 'socket.io-parser';
import { boundedParser } from '../../gateways/socketio/decoder.ts';
import type { Connection, RawSocket } from '../../shared/fanout/adapter/engine.ts';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { type ClientOptions, type Cluster, Heard, type Node, startCluster, until } from './adapter.cluster.ts';

let server: NatsServer;
let cluster: Cluster;

beforeAll(async () => {
  server = await startNats();
});

afterAll(() => server.stop());
afterEach(() => cluster.close());

const deflate = { perMessageDeflate: { threshold: 10 } };
const ways: { way: string; client: ClientOptions; options: object }[] = [
  { way: 'over WebSocket', client: { transports: ['websocket'] }, options: {} },
  { way: 'over polling', client: { transports: ['polling'] }, options: {} },
  { way: 'while it changes from polling to WebSocket', client: { transports: ['polling', 'websocket'] }, options: {} },
  { way: 'of a gateway', client: { transports: ['websocket'] }, options: { parser: boundedParser(() => {}) } },
  { way: 'over WebSocket with compression', client: { transports: ['websocket'] }, options: deflate },
];

describe.each(ways)('a client $way', ({ client: transport, options }) => {
  test('gets packets of rooms, its own, binary and large ones in the order in which they were sent', async () => {
    cluster = await startCluster(server.url, { count: 2, server: options });
    const [one, two] = cluster.nodes as [Node, Node];
    const { client, socket } = await one.client(transport);
    await socket.join(['a', 'b']);
    const heard = new Heard(client, 'n');
    const values: string[] = [];
    client.on('n', (_n: number, value: string | Buffer) => values.push(value.toString()));
    const large = 'ü'.repeat(40_000);
    const content = (n: number) => (n % 50 === 0 ? large : `value ${n}`);
    const ways = [
      (n: number) => one.io.to('a').emit('n', n, content(n)),
      (n: number) => socket.emit('n', n, content(n)),
      (n: number) => one.io.to(['a', 'b']).emit('n', n, content(n)),
      (n: number) => one.io.to('b').emit('n', n, Buffer.from(content(n))),
      (n: number) => one.io.emit('n', n, content(n)),
      (n: number) => socket.conn.write(`2["n",${n},${JSON.stringify(content(n))}]`),
    ];
    for (let n = 0; n < 600; n += 1) {
      ways[(n * 7 + Math.floor(n / 6)) % ways.length]?.(n);
      if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await heard.times(600);
    const all = Array.from({ length: 600 }, (_, n) => n);
    expect(heard.values).toEqual(all);
    expect(values).toEqual(all.map(content));
    for (let n = 0; n < 300; n += 1) two.io.to(n % 2 ? 'a' : 'b').emit('n', n, 'x');
    await heard.times(900);
    expect(heard.values.slice(600)).toEqual(all.slice(0, 300));
  });
});

test.each([
  ['nobody listens to what it writes', [], 0, {}],
  ['nobody does and the server is a gateway', [], 0, { parser: boundedParser(() => {}) }],
  ['somebody does', ['flush'], 1, {}],
  ['somebody wants to know when it is ready for more', ['drain'], 1, {}],
])(
  'packets for a room that come in one turn go to each of its clients in one write, where %s',
  async (_name, events, told, options) => {
    cluster = await startCluster(server.url, { count: 1, server: options });
    const [node] = cluster.nodes as [Node];
    const { client, socket } = await node.client();
    await socket.join('a');
    const heard = new Heard(client, 'n');
    const conn = socket.conn as unknown as Connection & NodeJS.EventEmitter;
    let tellings = 0;
    for (const event of events) conn.on(event, () => (tellings += 1));
    const writes = jest.spyOn(conn.transport.socket?._socket as RawSocket, 'write');
    for (let n = 0; n < 100; n += 1) node.io.to('a').emit('n', n);
    await heard.times(100);
    expect([writes.mock.calls.length, tellings]).toEqual([1, told]);
  },
);

/** Another one than the usual, whose clients here have it too. */
class OwnEncoder extends parser.Encoder {}
const ownParser = { ...parser, Encoder: OwnEncoder };
const bounded = boundedParser(() => {});
const once: { kind: string; options: object; encoded: number }[] = [
  // Encoded by who sent it: a gateway only puts a frame around it.
  { kind: 'the usual parser', options: {}, encoded: 0 },
  { kind: 'the parser of the gateways', options: { parser: bounded }, encoded: 0 },
  { kind: 'a parser of its own', options: { parser: ownParser }, encoded: 1 },
  { kind: 'the usual parser and recovery', options: { connectionStateRecovery: {} }, encoded: 0 },
];

test.each(once)('with $kind, a packet is encoded once for fifty sockets of a room on one gateway', async (each) => {
  const { options, encoded } = each;
  cluster = await startCluster(server.url, { count: 2, server: options });
  const [one, two] = cluster.nodes as [Node, Node];
  const joined = Array.from({ length: 50 }, async () => {
    const { client, socket } = await two.client();
    await socket.join('a');
    const { conn } = socket as unknown as { conn: Connection };
    const { _socket: network } = conn.transport.socket as unknown as { _socket: RawSocket };
    return { heard: new Heard(client, 'x'), writes: jest.spyOn(network, 'write') };
  });
  const sockets = await Promise.all(joined);
  const encode = jest.spyOn(two.io.encoder, 'encode');
  one.io.to('a').emit('x', 'y'.repeat(1_000));
  await Promise.all(sockets.map(({ heard }) => heard.times(1)));
  expect(encode).toHaveBeenCalledTimes(encoded);
  const written = sockets.flatMap(({ writes }) => writes.mock.calls.map(([data]) => data));
  // One and the same buffer for all of them, not fifty with the same bytes.
  if (encoded === 0) expect([written.length, new Set(written).size]).toEqual([50, 1]);
});

test('two clients get what each is to hear, in one order, where their rooms overlap', async () => {
  cluster = await startCluster(server.url, { count: 1 });
  const [node] = cluster.nodes as [Node];
  const [both, one] = await Promise.all([node.client(), node.client()]);
  await Promise.all([both.socket.join(['a', 'b']), one.socket.join('b')]);
  const heard = [new Heard(both.client, 'n'), new Heard(one.client, 'n')] as const;
  for (let n = 0; n < 90; n += 1) node.io.to(n % 3 ? 'b' : 'a').emit('n', n);
  const all = Array.from({ length: 90 }, (_, n) => n);
  expect(await heard[0].times(90)).toEqual(all);
  await until(() => heard[1].values.length >= 60, 'it hears its room');
  expect(heard[1].values).toEqual(all.filter((n) => n % 3));
});

test('a room that is left or joined in the same turn is heard up to then, or from then on', async () => {
  cluster = await startCluster(server.url, { count: 1 });
  const [node] = cluster.nodes as [Node];
  const { client, socket } = await node.client();
  await socket.join('a');
  const heard = new Heard(client, 'n');
  node.io.to('a').emit('n', 1);
  node.io.to('b').emit('n', 2);
  socket.leave('a');
  void socket.join('b');
  node.io.to('a').emit('n', 3);
  node.io.to('b').emit('n', 4);
  node.io.emit('n', 5);
  expect(await heard.times(3)).toEqual([1, 4, 5]);
});

test('the last packet before a disconnection arrives', async () => {
  cluster = await startCluster(server.url, { count: 1 });
  const [node] = cluster.nodes as [Node];
  const { client, socket } = await node.client();
  const heard = new Heard(client, 'n');
  const ended = new Promise((resolve) => client.once('disconnect', resolve));
  node.io.emit('n', 1);
  socket.disconnect(true);
  await ended;
  expect(heard.values).toEqual([1]);
});
