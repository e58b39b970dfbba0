import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { ErrorCode, type NatsConnection, NatsError } from 'nats';
import { busSuite, eventOf, Heard } from '../../shared/fanout/bus.suite.ts';
import { natsBus } from '../../shared/fanout/nats.bus.ts';
import { connectNats, natsOptions } from '../../shared/fanout/nats.connection.ts';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { calmly } from '../system/calm.ts';

let server: NatsServer;
let prefixes = 0;

beforeAll(async () => {
  server = await startNats();
});

afterAll(() => server.stop());

async function openTwo() {
  prefixes += 1;
  const prefix = `t${prefixes}`;
  const connections = [await connectNats([server.url], 'one'), await connectNats([server.url], 'two')] as const;
  const buses = await Promise.all([natsBus(connections[0], { prefix }), natsBus(connections[1], { prefix })]);
  const close = async () => {
    await Promise.all(buses.map((bus) => bus.close()));
    await Promise.all(connections.map((connection) => connection.close()));
  };
  return { prefix, connections, buses: [buses[0], buses[1]] as [(typeof buses)[0], (typeof buses)[1]], close };
}

busSuite('the bus over NATS', openTwo);

test('a malformed message on the wire is dropped with a warning and holds nothing up', async () => {
  const { prefix, connections, close } = await openTwo();
  const warnings: string[] = [];
  const bus = await natsBus(connections[0], { prefix, log: { warn: (_fields, message) => warnings.push(message) } });
  const [all, shared] = [new Heard(), new Heard()];
  await bus.follow({}, all.hear);
  await bus.follow({ tier: 'careful' }, shared.hear);
  const malformed = ['{', '{"id":"x"}', 'null'];
  const publish = (lane: number, text: string) =>
    connections[1].jetstream().publish(`${prefix}.events.${lane}.camera.a.ready`, text);
  for (const text of malformed) for (let lane = 0; lane < 8; lane += 1) await publish(lane, text);
  const event = eventOf('a');
  await bus.emit(event);
  await Promise.all([all.until(1), shared.until(1)]);
  expect(all.ids).toEqual([event.id]);
  expect(shared.ids).toEqual([event.id]);
  expect(warnings).toContain('a malformed event was dropped');
  await bus.close();
  await close();
});

test('an event that is emitted twice is stored once', async () => {
  const { prefix, connections, buses, close } = await openTwo();
  const event = eventOf('a');
  for (const bus of buses) await bus.emit(event);
  const info = await (await connections[0].jetstreamManager()).streams.info(`${prefix}-events`);
  expect(info.state.messages).toBe(1);
  await close();
});

test('an id is recognised for two minutes, and heard again after them', async () => {
  const { prefix, connections, buses, close } = await openTwo();
  const [all, shared] = [new Heard(), new Heard()];
  await buses[0].follow({}, all.hear);
  await buses[1].follow({ tier: 'work' }, shared.hear);
  const [event, end] = [eventOf('a'), eventOf('a')];
  await buses[0].emit(event);
  await Promise.all([all.until(1), shared.until(1)]);
  // The stream has its own clock: as if its two minutes were over, it is told no id.
  const again = async (subject: string) => {
    await connections[0].jetstream().publish(subject, JSON.stringify(event));
  };
  const jsm = await connections[0].jetstreamManager();
  const { subject } = await jsm.streams.getMessage(`${prefix}-events`, { seq: 1 });
  await again(subject);
  const now = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 121_000);
  try {
    await again(subject);
    await buses[0].emit(end);
    await Promise.all([all.until(3), shared.until(3)]);
    for (const { ids } of [all, shared]) expect(ids).toEqual([event.id, event.id, end.id]);
  } finally {
    now.mockRestore();
  }
  await close();
});

test('the newest events are found when the events themselves are forgotten', async () => {
  const connection = await connectNats([server.url], 'test');
  const bus = await natsBus(connection, { prefix: 'forgetful' });
  await bus.newest('camera');
  const events = Array.from({ length: 2_500 }, (_, n) => eventOf(`camera-${n % 2_400}`));
  await Promise.all(events.map((event) => bus.emit(event)));
  const jsm = await connection.jetstreamManager();
  const copies = async () => (await jsm.streams.info('forgetful-newest-camera')).state.messages;
  while ((await copies()) < 2_400) await new Promise((resolve) => setTimeout(resolve, 20));
  await jsm.streams.purge('forgetful-events');
  const late = eventOf('camera-0');
  await bus.emit(late);
  const found = await bus.newest('camera');
  const last = new Map(found.map((event) => [event.body.entity, event.id]));
  expect(last.size).toBe(2_400);
  expect([last.get('camera-0'), last.get('camera-1')]).toEqual([late.id, events[2_401]?.id]);
  await bus.close();
  await connection.close();
});

test('closing a bus leaves the connection to its owner', async () => {
  const { connections, buses, close } = await openTwo();
  await buses[0].close();
  expect(connections[0].isClosed()).toBe(false);
  await close();
});

test('limits that change are brought to the stream that is there', async () => {
  const { prefix, connections, close } = await openTwo();
  const bus = await natsBus(connections[0], { prefix, maxBytes: 1024 * 1024 });
  const info = await (await connections[0].jetstreamManager()).streams.info(`${prefix}-events`);
  expect(info.config.max_bytes).toBe(1024 * 1024);
  await bus.close();
  await close();
});

test('a prefix that cannot name a stream is refused', async () => {
  const connection: NatsConnection = await connectNats([server.url], 'refused');
  await expect(natsBus(connection, { prefix: 'a.b' })).rejects.toThrow('a bus prefix');
  await connection.close();
});

test('user and password are read from the URL', async () => {
  const closed = await startNats({ args: ['--user', 'some one', '--pass', 'p@ss'] });
  const url = (credentials: string) => `nats://${credentials}127.0.0.1:${closed.port}`;
  const connection = await connectNats([url('some%20one:p%40ss@')], 'known');
  expect(connection.isClosed()).toBe(false);
  await connection.close();
  await expect(connectNats([url('')], 'unknown')).rejects.toThrow(/Authorization Violation/i);
  await expect(connectNats([url('some%20one:wrong@')], 'wrong')).rejects.toThrow(/Authorization Violation/i);
  await closed.stop();
});

test('a connection waits for a server that starts later, but not for ever', async () => {
  const late = await startNats();
  await late.kill('SIGKILL');
  await expect(connectNats([late.url], 'impatient', { timeout: 300 })).rejects.toThrow('cannot be reached');
  const connecting = connectNats([late.url], 'patient');
  await late.restart();
  await (await connecting).close();
  await late.stop();
});

test('options ask for TLS where a URL does, and name no password in a message', () => {
  expect(natsOptions(['tls://u:p@host:4443'], 'x')).toMatchObject({
    servers: ['host:4443'],
    tls: {},
    user: 'u',
    pass: 'p',
  });
  expect(natsOptions(['token@host'], 'x')).toMatchObject({ servers: ['host:4222'], token: 'token' });
  expect(() => natsOptions(['http://u:secret@host'], 'x')).toThrow(/^(?!.*secret).*nats:\/\//);
});

test('of 200 claims over three connections one wins, and NATS that does not answer is an error within 2 s', async () => {
  const own = await startNats();
  const connections = await Promise.all(['one', 'two', 'three'].map((name) => connectNats([own.url], name)));
  const buses = await Promise.all(connections.map((connection) => natsBus(connection, { prefix: 'claims' })));
  const busOf = (n: number) => buses[n % 3] as (typeof buses)[number];
  const outcomes = await Promise.all(Array.from({ length: 200 }, (_, n) => busOf(n).claim('nonce', 60_000)));
  expect(outcomes.filter(Boolean)).toHaveLength(1);
  expect(outcomes).toHaveLength(200);

  await own.kill('SIGSTOP');
  const since = Date.now();
  await expect(busOf(0).claim('other', 60_000)).rejects.toThrow('could not be made');
  await expect(busOf(1).claim('first of its time', 61_000)).rejects.toThrow('could not be made');
  expect(Date.now() - since).toBeLessThan(calmly(5_000));
  await own.kill('SIGCONT');
  expect(await busOf(0).claim('other again', 60_000)).toBe(true);
  await Promise.all(buses.map((bus) => bus.close()));
  await Promise.all(connections.map((connection) => connection.close()));
  await own.stop();
});

test('a claim whose answer was lost is the claimer’s own when it is tried again', async () => {
  const { prefix, connections, close } = await openTwo();
  const bus = await natsBus(losingFirstAnswer(connections[0], '.claims.'), { prefix });
  expect(await bus.claim('a', 60_000)).toBe(true);
  expect(await bus.claim('a', 60_000)).toBe(false);
  await bus.close();
  await close();
});

test('a claim outlives a crash of NATS', async () => {
  const own = await startNats();
  const connection = await connectNats([own.url], 'one');
  const bus = await natsBus(connection, { prefix: 'claims' });
  expect(await bus.claim('kept', 600_000)).toBe(true);
  await own.kill('SIGKILL');
  await own.restart();
  expect(await bus.claim('kept', 600_000)).toBe(false);
  await bus.close();
  await connection.close();
  await own.stop();
});

/** The connection, but the first request on a subject that holds `part` is sent and its answer never seen. */
function losingFirstAnswer(connection: NatsConnection, part: string): NatsConnection {
  let lost = false;
  return new Proxy(connection, {
    get(target, key) {
      const value = Reflect.get(target, key, target);
      if (key !== 'jetstream') return typeof value === 'function' ? value.bind(target) : value;
      return () => {
        const js = target.jetstream();
        const publish: typeof js.publish = async (subject, payload, options) => {
          const answer = await js.publish(subject, payload, options);
          if (lost || !subject.includes(part)) return answer;
          lost = true;
          throw new NatsError('the answer was lost', ErrorCode.Timeout);
        };
        return { publish };
      };
    },
  });
}
