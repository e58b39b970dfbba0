import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { recoveryMs } from '../../gateways/socketio/recovery.adapter.ts';
import type { NatsAdapter } from '../../shared/fanout/adapter/index.ts';
import { everybody, fanoutNames, leaseAudience } from '../../shared/fanout/adapter/names.ts';
import type { Lease } from '../../shared/fanout/adapter/session.rules.ts';
import { decodeMessage, decodeValue } from '../../shared/fanout/adapter/wire.ts';
import { Wanderer } from '../chaos/recovery.client.ts';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { calmly } from '../system/calm.ts';
import { type Cluster, type ClusterOptions, type Node, startCluster, until } from './adapter.cluster.ts';

let server: NatsServer;
let cluster: Cluster;
let client: Wanderer;

beforeAll(async () => {
  server = await startNats();
});

afterAll(() => server.stop());
afterEach(async () => {
  client.close();
  await cluster.close();
});

async function startTwo(options: ClusterOptions = {}, recovery: object = {}, nats = server): Promise<[Node, Node]> {
  const server_ = { connectionStateRecovery: { skipMiddlewares: false, ...recovery }, ...options.server };
  cluster = await startCluster(nats.url, { count: 2, ...options, server: server_ });
  client = new Wanderer();
  const [one, two] = cluster.nodes as [Node, Node];
  await client.connect(one.url);
  return [one, two];
}

const socketAt = ({ io }: Node, sid: string) => {
  const socket = io.sockets.sockets.get(sid);
  if (!socket) throw new Error('the socket is not there');
  return socket;
};

const hears = (client: Wanderer, count: number) =>
  until(() => client.life?.numbers.length === count, `${count} numbers, there are ${client.life?.numbers}`);

const gone = (node: Node, sid: string) => until(() => !node.io.sockets.sockets.has(sid), 'the socket is gone');

test('a session keeps its id, rooms and data on another server', async () => {
  const [one, two] = await startTwo();
  const { sid } = client;
  const socket = socketAt(one, sid);
  socket.data = { user: 'ada' };
  await socket.join(['a', 'b']);
  one.io.to('a').emit('n', 1);
  await hears(client, 1);
  client.breakOff();
  await client.connect(two.url);
  expect(client.recoveries).toBe(1);
  const moved = socketAt(two, sid);
  expect({ rooms: [...moved.rooms].sort(), data: moved.data }).toEqual({
    rooms: ['a', 'b', sid].sort(),
    data: { user: 'ada' },
  });
  two.io.to('b').emit('n', 2);
  one.io.to(sid).emit('n', 3);
  await hears(client, 3);
});

test('what was sent to a room before the socket joined it, or after it left, is not what it missed', async () => {
  const [one, two] = await startTwo();
  const socket = socketAt(one, client.sid);
  await socket.join('left');
  one.io.emit('n', 1);
  await hears(client, 1);
  // It hears none of these: its connection is gone already, which its server has not noticed.
  const finish = client.vanish();
  one.io.to('joined').emit('n', 2);
  one.io.to('left').emit('n', 3);
  one.io.serverSideEmit('sync');
  await new Promise((resolve) => two.io.once('sync', resolve as never));
  await socket.join('joined');
  socket.leave('left');
  one.io.to('joined').emit('n', 4);
  one.io.to('left').emit('n', 5);
  one.io.except('joined').emit('n', 6);
  one.io.to(['joined', 'left']).emit('n', 7);
  await client.connect(two.url);
  finish();
  await hears(client, 4);
  expect(client.life?.numbers).toEqual([1, 3, 4, 7]);
});

test('volatile packets and those that await an answer are not sent again', async () => {
  const [one, two] = await startTwo();
  one.io.emit('n', 1);
  await hears(client, 1);
  const { sid } = client;
  client.breakOff();
  await gone(one, sid);
  one.io.volatile.emit('n', 2);
  one.io.timeout(50).emit('n', 3, () => {});
  one.io.emit('n', 4);
  await client.connect(two.url);
  two.io.emit('n', 5);
  await hears(client, 3);
  expect(client.life?.numbers).toEqual([1, 4, 5]);
});

test('what goes to a socket of this server alone comes after what it missed, and sets the session back nowhere', async () => {
  const [one, two] = await startTwo();
  two.io.on('connection', (socket) => two.io.local.to(socket.id).emit('n', 99));
  const { sid } = client;
  await socketAt(one, sid).join('a');
  one.io.to('a').emit('n', 1);
  await hears(client, 1);
  client.breakOff();
  await gone(one, sid);
  for (const n of [2, 3]) one.io.to('a').emit('n', n);
  await client.connect(two.url);
  await hears(client, 4);
  client.breakOff();
  await gone(two, sid);
  await client.connect(one.url);
  one.io.to('a').emit('n', 4);
  await until(() => client.life?.numbers.at(-1) === 4, 'it hears the room');
  expect(client.life?.numbers).toEqual([1, 2, 3, 99, 4]);
  expect(client.recoveries).toBe(2);
});

test('what every server emits once for all of them is missed and sent once', async () => {
  const [one, two] = await startTwo();
  const emit = (n: number) => {
    for (const { io } of [one, two]) (io.of('/').adapter as NatsAdapter).emitOnce(`number ${n}`, [], 'n', [n]);
  };
  emit(1);
  await hears(client, 1);
  const { sid } = client;
  client.breakOff();
  await gone(one, sid);
  emit(2);
  await client.connect(two.url);
  emit(3);
  await hears(client, 3);
  expect(client.life?.numbers).toEqual([1, 2, 3]);
});

test('what a server of NATS stored and died before it told of is heard when another one leads, and nothing of it twice', async () => {
  const [one, two] = await startTwo({ adapter: { prefix: 'elected' } });
  const { stream, elections, of } = fanoutNames('elected');
  const jsm = await one.nats.jetstreamManager();
  const { config } = await jsm.streams.info(stream);
  const emit = (n: number) => two.io.emit('n', n);
  const last = async () => (await jsm.streams.getMessage(stream, { last_by_subj: of('/').log(everybody) })).seq;
  emit(1);
  await hears(client, 1);
  // As what its leader did not come to: what is stored now is told to nobody.
  await jsm.streams.update(stream, { ...config, republish: { src: 'nothing', dest: 'nowhere' } });
  const before = await last();
  emit(2);
  await until(async () => (await last()) > before, 'it is stored');
  await jsm.streams.update(stream, config);
  expect(client.life?.numbers).toEqual([1]);
  one.nats.publish(elections, '{}');
  await hears(client, 2);
  emit(3);
  await hears(client, 3);
  const { sid } = client;
  client.breakOff();
  await gone(one, sid);
  emit(4);
  await client.connect(two.url);
  await hears(client, 4);
  expect([client.life?.numbers, client.recoveries]).toEqual([[1, 2, 3, 4], 1]);
});

test('while NATS is away a socket gets what its own server has for it, and whoever comes is a new session within seconds', async () => {
  const own = await startNats();
  try {
    const [one, two] = await startTwo({ adapter: { recovery: { timeout: 1_000 } } }, {}, own);
    one.io.emit('n', 1);
    await hears(client, 1);
    await own.kill('SIGKILL');
    one.io.local.to(client.sid).emit('n', 2);
    await hears(client, 2);
    client.breakOff();
    const started = performance.now();
    await client.connect(two.url);
    expect(performance.now() - started).toBeLessThan(calmly(2_000));
    expect({ recoveries: client.recoveries, lives: client.lives.length }).toEqual({ recoveries: 0, lives: 2 });
    await own.restart();
    one.io.emit('n', 3);
    await until(() => client.life?.numbers.at(-1) === 3, 'it hears of the other server again');
  } finally {
    client.close();
    await cluster.close();
    await own.stop();
  }
});

test('whoever comes with the session of somebody else, or of a revoked user, gets a new one and none of the packets', async () => {
  const asked: unknown[] = [];
  const authorizeRestore = (session: { data: unknown }, { auth, request }: { auth: object; request: unknown }) => {
    asked.push(session.data, 'pid' in auth, (request as { url: string }).url.startsWith('/socket.io/'));
    return false;
  };
  const [one, two] = await startTwo({ adapter: { recovery: { storage: 'memory', authorizeRestore } } });
  const { sid } = client;
  const socket = socketAt(one, sid);
  socket.data = { user: 'ada' };
  await socket.join('a');
  one.io.emit('n', 1);
  await hears(client, 1);
  client.breakOff();
  await gone(one, sid);
  one.io.to('a').emit('n', 2);
  await client.connect(two.url);
  two.io.to('a').emit('n', 3);
  two.io.emit('n', 4);
  await hears(client, 1);
  expect(client.lives.map(({ numbers }) => numbers)).toEqual([[1], [4]]);
  expect(client.sid).not.toBe(sid);
  expect(asked).toEqual([{ user: 'ada' }, true, true]);
});

test('a session that its client or its server ended does not come back', async () => {
  const [one, two] = await startTwo();
  one.io.emit('n', 1);
  await hears(client, 1);
  const { sid } = client;
  one.io.in(sid).disconnectSockets(true);
  await gone(one, sid);
  await client.connect(two.url);
  expect({ recoveries: client.recoveries, lives: client.lives.length }).toEqual({ recoveries: 0, lives: 2 });
});

test('a client that heard nothing for longer than the log lasts still recovers, and one that was away too long does not', async () => {
  const pings = { pingInterval: 300, pingTimeout: 200 };
  const recovery = { maxDisconnectionDuration: 1_000 };
  const [one, two] = await startTwo({ server: pings, adapter: { prefix: 'quiet' } }, recovery);
  const jsm = await one.nats.jetstreamManager();
  one.io.emit('n', 1);
  await hears(client, 1);
  // What others hear makes its own offset the oldest of all, and then older than the log.
  await until(
    async () => {
      one.io.to('somebody').emit('n', 0);
      const { state } = await jsm.streams.info('quiet-fanout');
      return (
        state.first_seq > 3 && (await jsm.streams.getMessage('quiet-fanout', { seq: 1 }).catch(() => null)) === null
      );
    },
    'the log has forgotten the offset',
    60_000,
  );
  client.breakOff();
  await client.connect(two.url);
  expect(client.recoveries).toBe(1);
  one.io.emit('n', 2);
  await hears(client, 2);
  client.breakOff();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await client.connect(one.url);
  expect({ recoveries: client.recoveries, lives: client.lives.length }).toEqual({ recoveries: 1, lives: 2 });
}, 90_000);

/** It came back once with its session, and has heard these numbers, each once and in order. */
async function cameBackWith(numbers: readonly number[]): Promise<void> {
  await until(() => client.life?.numbers.at(-1) === numbers.at(-1), 'it hears the room');
  expect({ recoveries: client.recoveries, numbers: client.life?.numbers }).toEqual({ recoveries: 1, numbers });
}

/** Until a server says that all connections it had by now have heard what there is. */
async function floorPasses({ io, nats }: Node, prefix: string): Promise<void> {
  const jsm = await nats.jetstreamManager();
  const { stream, of } = fanoutNames(prefix);
  const { state } = await jsm.streams.info(stream);
  const { uid } = io.of('/').adapter as unknown as { uid: string };
  const own = of('/').log(leaseAudience(uid));
  const floor = async () => {
    const { data } = await jsm.streams.getMessage(stream, { last_by_subj: own });
    return (decodeValue(decodeMessage(data).parts) as Lease).floor;
  };
  await until(async () => (await floor()) > state.last_seq, 'its floor is beyond', 30_000);
}

test('a session whose return was refused once has missed what was sent since it went, however late it comes back', async () => {
  const pings = { pingInterval: 300, pingTimeout: 400 };
  const [one, two] = await startTwo({ server: pings, adapter: { prefix: 'refused' } });
  const { sid } = client;
  await socketAt(one, sid).join('a');
  one.io.to('a').emit('n', 1);
  await hears(client, 1);
  client.breakOff();
  await gone(one, sid);
  one.io.to('a').emit('n', 2);
  let refused = 0;
  two.io.use((_socket, next) => next(refused++ === 0 ? new Error('RATE_LIMITED') : undefined));
  await expect(client.connect(two.url)).rejects.toThrow('refused');
  one.io.to('a').emit('n', 3);
  // The server it came to says by now that all of its connections have heard that.
  await floorPasses(two, 'refused');
  await client.connect(two.url);
  two.io.to('a').emit('n', 4);
  await cameBackWith([1, 2, 3, 4]);
}, 60_000);

test('a session whose end its server could not write has missed what was sent since, however late it comes back', async () => {
  const pings = { pingInterval: 300, pingTimeout: 400 };
  const [one, two] = await startTwo({ server: pings, adapter: { prefix: 'unwritten' } });
  const { stream, of } = fanoutNames('unwritten');
  const jsm = await one.nats.jetstreamManager();
  const { sid } = client;
  await socketAt(one, sid).join('a');
  one.io.to('a').emit('n', 1);
  await hears(client, 1);
  const records = of('/').session(client.session.pid as string);
  const last = () => jsm.streams.getMessage(stream, { last_by_subj: records });
  client.breakOff();
  await gone(one, sid);
  await until(async () => (await last()).string().includes('"closed"'), 'its end is written');
  // As where that was on its way when the link to NATS broke.
  await jsm.streams.deleteMessage(stream, (await last()).seq);
  one.io.to('a').emit('n', 2);
  await floorPasses(one, 'unwritten');
  await client.connect(two.url);
  two.io.to('a').emit('n', 3);
  await cameBackWith([1, 2, 3]);
}, 60_000);

test('a session comes back after 119 s, and not after 121 s, where two minutes are allowed', async () => {
  const [one, two] = await startTwo({}, { maxDisconnectionDuration: recoveryMs });
  for (const [seconds, recoveries] of [
    [119, 1],
    [121, 0],
  ] as const) {
    await client.connect(one.url);
    one.io.emit('n', 1);
    await until(() => client.life?.numbers.at(-1) === 1, 'it has an offset');
    const { sid, recoveries: before } = client;
    client.breakOff();
    await gone(one, sid);
    const { now } = Date;
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + seconds * 1_000);
    try {
      await client.connect(two.url);
    } finally {
      clock.mockRestore();
    }
    expect(client.recoveries - before).toBe(recoveries);
    client.breakOff();
    await gone(two, client.sid);
  }
});

test('a session that missed more than may be sent at once is a new one', async () => {
  const [one, two] = await startTwo({ adapter: { recovery: { storage: 'memory', maxMissedBytes: 20_000 } } });
  one.io.emit('n', 1);
  await hears(client, 1);
  const { sid } = client;
  client.breakOff();
  await gone(one, sid);
  for (let n = 0; n < 30; n += 1) one.io.emit('n', n, 'y'.repeat(1_000));
  await client.connect(two.url);
  expect({ recoveries: client.recoveries, lives: client.lives.length }).toEqual({ recoveries: 0, lives: 2 });
});
