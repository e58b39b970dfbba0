import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Socket as ServerSocket } from 'socket.io';
import type { Socket } from 'socket.io-client';
import type { NatsAdapter } from '../../shared/fanout/adapter/index.ts';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { type Cluster, Heard, knowsOthers, type Node, startCluster, until } from './adapter.cluster.ts';

let server: NatsServer;

beforeAll(async () => {
  server = await startNats();
});

afterAll(() => server.stop());

const modes = [
  { mode: 'without recovery', options: {} },
  { mode: 'with recovery', options: { connectionStateRecovery: {} } },
];

describe.each(modes)('three servers $mode', ({ options }) => {
  let cluster: Cluster;
  let nodes: [Node, Node, Node];
  let clients: [Socket, Socket, Socket];
  let sockets: [ServerSocket, ServerSocket, ServerSocket];

  beforeEach(async () => {
    cluster = await startCluster(server.url, { server: options });
    nodes = cluster.nodes as typeof nodes;
    const connected = await Promise.all(nodes.map((node) => node.client()));
    clients = connected.map(({ client }) => client) as typeof clients;
    sockets = connected.map(({ socket }) => socket) as typeof sockets;
  });

  afterEach(() => cluster.close());

  const hearAll = (...events: string[]) => clients.map((client) => new Heard(client, ...events));

  /** Everybody has heard what any server sent before: it comes in order. */
  async function settled(heard: Heard[], counts: number[]) {
    const ends = clients.map((client) => new Heard(client, 'end'));
    for (const { io } of nodes) io.emit('end');
    await Promise.all(ends.map((end) => end.times(3)));
    expect(heard.map(({ values }) => values.length)).toEqual(counts);
  }

  test('a broadcast reaches every client, with its binary parts', async () => {
    const args = Promise.all(
      clients.map((client) => new Promise<unknown[]>((done) => client.once('x', (...a) => done(a)))),
    );
    nodes[0].io.emit('x', 1, 'two', { three: Buffer.from([3, 4]) });
    for (const [one, two, three] of await args) {
      expect([one, two]).toEqual([1, 'two']);
      expect((three as { three: Buffer }).three).toEqual(Buffer.from([3, 4]));
    }
  });

  test('what every server emits once for all of them reaches each client once, in order', async () => {
    const heard = hearAll('x');
    for (const [rooms, value] of [
      [[], 1],
      [['a'], 2],
      [['a', 'b'], 3],
    ] as const) {
      for (const { io } of nodes) (io.of('/').adapter as NatsAdapter).emitOnce(`x ${value}`, rooms, 'x', [value]);
    }
    await settled(heard, [1, 1, 1]);
    for (const [index, room] of ['a', 'b', 'a'].entries()) await sockets[index]?.join(room);
    for (const [rooms, value] of [
      [['a'], 4],
      [['a', 'b'], 5],
    ] as const) {
      for (const { io } of nodes) (io.of('/').adapter as NatsAdapter).emitOnce(`x ${value}`, rooms, 'x', [value]);
    }
    await settled(heard, [3, 2, 3]);
    expect(heard.map(({ values }) => values)).toEqual([
      [1, 4, 5],
      [1, 5],
      [1, 4, 5],
    ]);
  });

  test('a broadcast stays in its namespace', async () => {
    for (const { io } of nodes) io.of('/other');
    const other = await nodes[1].client({}, '/other');
    await knowsOthers(nodes[1], 3, '/other');
    const heard = [...hearAll('x'), new Heard(other.client, 'x')];
    nodes[0].io.of('/other').emit('x', 1);
    await heard[3]?.times(1);
    await settled(heard, [0, 0, 0, 1]);
  });

  test('a packet to a room reaches those in it, on whichever server they are', async () => {
    await Promise.all([sockets[1].join('room'), sockets[2].join('room')]);
    const heard = hearAll('x');
    nodes[0].io.to('room').emit('x', 1);
    await Promise.all([heard[1]?.times(1), heard[2]?.times(1)]);
    await settled(heard, [0, 1, 1]);
  });

  test('a client in two of the named rooms gets a packet once', async () => {
    await Promise.all([sockets[1].join(['a', 'b']), sockets[2].join('b')]);
    const heard = hearAll('x');
    nodes[0].io.to('a').to('b').emit('x', 1);
    await heard[2]?.times(1);
    await settled(heard, [0, 1, 1]);
  });

  test('those in an excepted room get nothing, nor does a socket that broadcasts', async () => {
    await Promise.all([sockets[0].join('all'), sockets[1].join(['all', 'not']), sockets[2].join('all')]);
    const heard = hearAll('x');
    nodes[0].io.except('not').emit('x', 1);
    nodes[1].io.to('all').except('not').emit('x', 2);
    sockets[2].broadcast.emit('x', 3);
    sockets[2].to('all').emit('x', 4);
    await settled(heard, [4, 2, 2]);
  });

  test('a packet to a socket id reaches that socket from any server, and who else is in the room of that name', async () => {
    await sockets[2].join(sockets[1].id);
    const heard = hearAll('x');
    for (const { io } of nodes) io.to(sockets[1].id).emit('x', 1);
    await settled(heard, [0, 3, 3]);
  });

  test('a local packet stays on its server', async () => {
    const heard = hearAll('x');
    nodes[0].io.local.emit('x', 1);
    await settled(heard, [1, 0, 0]);
  });

  test('a volatile packet reaches clients that can take it', async () => {
    const heard = hearAll('x');
    nodes[0].io.volatile.emit('x', 1);
    await settled(heard, [1, 1, 1]);
  });

  test('nothing is missed that is published after a join has resolved', async () => {
    const heard = new Heard(clients[1], 'x');
    for (let round = 0; round < 100; round += 1) {
      await sockets[1].join(`room${round}`);
      nodes[0].io.to(`room${round}`).emit('x', round);
    }
    expect(await heard.times(100)).toEqual(Array.from({ length: 100 }, (_, round) => round));
  });

  test('a client hears one publisher in order, whatever the audience', async () => {
    await Promise.all(sockets.map((socket) => socket.join(['a', 'b'])));
    const heard = hearAll('x');
    for (let n = 0; n < 400; n += 4) {
      nodes[0].io.to('a').emit('x', n);
      nodes[0].io.emit('x', n + 1);
      nodes[0].io
        .to('a')
        .to('b')
        .emit('x', n + 2);
      nodes[0].io
        .to('b')
        .except('nobody')
        .emit('x', n + 3);
      if (n % 40 === 0) await new Promise(setImmediate);
    }
    for (const each of heard) expect(await each.times(400)).toEqual(Array.from({ length: 400 }, (_, n) => n));
  });

  test('fetchSockets finds the sockets of all servers, of a room, and of this server', async () => {
    await sockets[1].join('room');
    sockets[1].data = { name: 'b' };
    const ids = async (found: Promise<{ id: string }[]>) => (await found).map(({ id }) => id).sort();
    expect(await ids(nodes[0].io.fetchSockets())).toEqual(sockets.map(({ id }) => id).sort());
    expect(await ids(nodes[0].io.local.fetchSockets())).toEqual([sockets[0].id]);
    const [found] = await nodes[0].io.in('room').fetchSockets();
    expect(found).toMatchObject({ id: sockets[1].id, data: { name: 'b' } });
    expect(found?.rooms.has('room')).toBe(true);
  });

  test('socketsJoin and socketsLeave take effect on all servers, before what is emitted next', async () => {
    await sockets[1].join('some');
    const heard = hearAll('x');
    nodes[0].io.in('some').socketsJoin('room');
    await until(() => sockets[1].rooms.has('room'), 'the socket joined');
    expect(sockets.map(({ rooms }) => rooms.has('room'))).toEqual([false, true, false]);
    nodes[0].io.socketsLeave('room');
    nodes[0].io.to('room').emit('x', 1);
    await settled(heard, [0, 0, 0]);
    expect(sockets.some(({ rooms }) => rooms.has('room'))).toBe(false);
  });

  test('disconnectSockets ends sockets everywhere, after what was emitted before', async () => {
    const heard = hearAll('bye');
    const ends = Promise.all(clients.map((client) => new Promise((done) => client.once('disconnect', done))));
    nodes[0].io.emit('bye', 1);
    nodes[0].io.disconnectSockets();
    expect(await ends).toEqual(Array(3).fill('io server disconnect'));
    expect(heard.map(({ values }) => values)).toEqual([[1], [1], [1]]);
  });

  test('serverSideEmit reaches the other servers, and brings their answers', async () => {
    const told: unknown[] = [];
    for (const { io } of nodes) io.on('hello', (value: unknown, buffer: Buffer) => told.push([value, buffer.length]));
    nodes[0].io.serverSideEmit('hello', 1, Buffer.from('abc'));
    await until(() => told.length >= 2, 'two servers were told');
    nodes[1].io.on('sum', (a: number, answer: (sum: number) => void) => answer(a + 1));
    nodes[2].io.on('sum', (a: number, answer: (sum: number) => void) => answer(a + 2));
    expect(((await nodes[0].io.serverSideEmitWithAck('sum', 1)) as number[]).sort()).toEqual([2, 3]);
    expect(told).toEqual([
      [1, 3],
      [1, 3],
    ]);
  });

  test('emitWithAck collects the answers of all clients, or of none, or says that some are missing', async () => {
    clients.forEach((client, index) => {
      client.on('ask', (done: (value: unknown) => void) => done(Buffer.from([index])));
    });
    const answers: Buffer[] = await nodes[0].io.timeout(5_000).emitWithAck('ask');
    expect(answers.map(([index]) => index).sort()).toEqual([0, 1, 2]);
    expect(await nodes[0].io.to('nobody').timeout(5_000).emitWithAck('ask')).toEqual([]);
    clients[2].off('ask');
    await expect(nodes[0].io.timeout(300).emitWithAck('ask')).rejects.toThrow('timed out');
    const [remote] = await nodes[0].io.in(sockets[1].id).fetchSockets();
    expect((await remote?.timeout(5_000).emitWithAck('ask'))?.[0]).toBe(1);
    expect((await sockets[0].timeout(5_000).emitWithAck('ask'))[0]).toBe(0);
  });

  test('listeners of outgoing packets hear what the cluster sends to their socket', async () => {
    const outgoing: unknown[] = [];
    sockets[1].onAnyOutgoing((event, value) => outgoing.push([event, value]));
    nodes[0].io.emit('x', 1);
    await until(() => outgoing.length > 0, 'the listener is called');
    expect(outgoing).toEqual([['x', 1]]);
  });
});

describe('what a message costs', () => {
  test('a server where nobody is in a room hears nothing of it', async () => {
    const cluster = await startCluster(server.url);
    const [one, two, three] = cluster.nodes as [Node, Node, Node];
    const { client, socket } = await two.client();
    await socket.join('room');
    const heard = new Heard(client, 'x');
    const before = [two, three].map(({ nats }) => nats.stats().inBytes);
    const text = 'y'.repeat(1_000);
    for (let n = 0; n < 200; n += 1) one.io.to('room').emit('x', text);
    await heard.times(200);
    const [there, elsewhere] = [two, three].map(({ nats }, index) => nats.stats().inBytes - (before[index] ?? 0));
    expect(there).toBeGreaterThan(200_000);
    expect(elsewhere).toBeLessThan(20_000);
    await cluster.close();
  });

  test('connections need no subscription each, and a room one per server, until a while after the last has left', async () => {
    const cluster = await startCluster(server.url, { count: 1 });
    const [node] = cluster.nodes as [Node];
    const count = () => (node.nats as unknown as { protocol: { subscriptions: Map<number, unknown> } }).protocol;
    const subscriptions = () => (count().subscriptions as unknown as { size(): number }).size();
    const idle = subscriptions();
    const some = await Promise.all(Array.from({ length: 20 }, () => node.client()));
    expect(subscriptions()).toBe(idle);
    for (const { socket } of some) await socket.join('room');
    expect(subscriptions()).toBe(idle + 1);
    for (const { socket } of some) socket.leave('room');
    expect(subscriptions()).toBe(idle + 1);
    await until(() => subscriptions() === idle, 'the subscription is given up');
    await cluster.close();
  });
});
