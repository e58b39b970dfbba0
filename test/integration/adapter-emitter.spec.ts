import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createEmitter } from '../../shared/fanout/adapter/index.ts';
import { connectNats } from '../../shared/fanout/nats.connection.ts';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { startProxy } from '../servers/proxy.ts';
import { calmly } from '../system/calm.ts';
import { Heard, type Node, startCluster } from './adapter.cluster.ts';

let server: NatsServer;

beforeAll(async () => {
  server = await startNats();
});

afterAll(() => server.stop());
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

let runs = 0;
const ends: (() => Promise<void>)[] = [];

async function start(recovery: boolean, natsUrl = server.url) {
  runs += 1;
  const prefix = `e${process.pid}x${runs}`;
  const options = recovery ? { connectionStateRecovery: {} } : {};
  const cluster = await startCluster(server.url, { adapter: { prefix }, server: options });
  const nodes = cluster.nodes as [Node, Node, Node];
  const nats = await connectNats([natsUrl], 'emitter');
  const emitter = createEmitter(nats, { prefix, recovery, timeout: 2_000 });
  ends.push(async () => {
    await emitter.close();
    await cluster.close();
    await nats.close();
  });
  return { nodes, nats, emitter };
}

describe.each([false, true])('a process without a Socket.IO server, with recovery %s', (recovery) => {
  test('emits to everybody, to rooms, and past some, in order', async () => {
    const { nodes, emitter } = await start(recovery);
    const [one, two] = await Promise.all([nodes[0].client(), nodes[1].client()]);
    await Promise.all([one.socket.join(['a', 'b']), two.socket.join('b')]);
    const heard = [new Heard(one.client, 'x'), new Heard(two.client, 'x')] as const;
    emitter.emit('x', 1);
    emitter.to('a').emit('x', 2);
    emitter.to(['a', 'b']).emit('x', 3);
    emitter.to('b').except('a').emit('x', 4);
    emitter.to(two.socket.id).emit('x', 5);
    emitter.emit('x', 6);
    expect(await heard[0].times(4)).toEqual([1, 2, 3, 6]);
    expect(await heard[1].times(5)).toEqual([1, 3, 4, 5, 6]);
  });

  test('counts the sockets of an audience over the cluster, each once', async () => {
    const { nodes, emitter } = await start(recovery);
    const [one, two, three] = await Promise.all([nodes[0].client(), nodes[1].client(), nodes[1].client()]);
    await Promise.all([one.socket.join(['a', 'b']), two.socket.join('b'), three.socket.join('c')]);
    const counts = await Promise.all([
      emitter.recipients(),
      emitter.to('a').recipients(),
      emitter.to(['a', 'b']).recipients(),
      emitter.to('nobody').recipients(),
      emitter.except('c').recipients(),
      emitter.to(three.socket.id).recipients(),
      emitter.to('b').emitAndCount('x', 1),
    ]);
    expect(counts).toEqual([3, 1, 2, 0, 2, 1, 2]);
  });
});

test('with recovery, what was on its way when the link to NATS broke arrives when it is back, once and in order', async () => {
  const link = await startProxy(server.port);
  ends.push(() => link.close());
  const { nodes, emitter } = await start(true, `nats://127.0.0.1:${link.port}`);
  const { client, socket } = await nodes[0].client();
  await socket.join(['a', 'b']);
  const heard = new Heard(client, 'x');
  let count = 0;
  const emitTo = (...rooms: string[]) => {
    for (const room of rooms) emitter.to(room).emit('x', count++);
  };
  emitTo('a', 'b', 'a');
  await heard.times(3);
  for (let round = 0; round < 3; round += 1) {
    link.stall();
    // Written to a link that carries nothing any more.
    emitTo('b', 'a');
    await turn();
    link.cut();
    emitTo('b', 'b');
    link.restore();
    emitTo('a');
    await heard.times(count);
  }
  await turn();
  expect(heard.values).toEqual(Array.from({ length: count }, (_, n) => n));
});

test('a packet that is larger than NATS takes is refused, and what comes after goes out', async () => {
  const { nodes, emitter } = await start(false);
  const { client } = await nodes[0].client();
  const heard = new Heard(client, 'x');
  expect(() => emitter.emit('x', 'y'.repeat(1_048_576))).toThrow(RangeError);
  await expect(emitter.of('/').emitAndCount('x', 'y'.repeat(1_048_576))).rejects.toThrow(RangeError);
  expect(emitter.emit('x', 'after')).toBe(true);
  expect(await heard.times(1)).toEqual(['after']);
});

test('a count does not wait for its time to pass, and a server that vanished holds up one count at most', async () => {
  const { nodes, emitter } = await start(false);
  const { socket } = await nodes[0].client();
  await socket.join('a');
  await emitter.to('a').recipients();
  const began = performance.now();
  for (let n = 0; n < 20; n += 1) expect(await emitter.to('a').recipients()).toBe(1);
  expect(performance.now() - began).toBeLessThan(calmly(1_000));
  await nodes[2].nats.close();
  const counts = [await emitter.to('a').recipients(), await emitter.to('a').recipients()];
  expect(counts).toEqual([1, 1]);
  expect(performance.now() - began).toBeLessThan(calmly(4_000));
});

test('servers that have nobody of an audience hear one question per turn, not one per count', async () => {
  const { nodes, emitter } = await start(false);
  const { socket } = await nodes[0].client();
  await socket.join('a');
  await emitter.to('a').recipients();
  const before = nodes[2].nats.stats().inMsgs;
  await Promise.all(Array.from({ length: 300 }, () => emitter.to('a').recipients()));
  expect(nodes[2].nats.stats().inMsgs - before).toBeLessThan(30);
});
