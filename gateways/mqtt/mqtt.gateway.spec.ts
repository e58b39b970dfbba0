import { afterEach, describe, expect, test } from '@jest/globals';
import { Failure } from '../../shared/contracts/index.ts';
import type { Bus, EventEnvelope } from '../../shared/fanout/bus.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { anonymous } from '../../shared/runtime/principal.ts';
import { eventually } from '../../test/system/clients/wait.ts';
import type { Authenticator, Dispatcher } from '../core/dispatch.types.ts';
import { type Limit, perMinute } from '../core/limits.ts';
import type { BrokerClient, Incoming, Outgoing, RequestHandler } from './broker.ts';
import { type MqttGateway, startMqttGateway } from './mqtt.gateway.ts';

/** A stand-in broker: what it is given is kept, what it is told to refuse is refused. */
class StandInBroker implements BrokerClient {
  readonly replies: Outgoing[] = [];
  readonly events: string[][] = [];
  readonly steps: string[] = [];
  refusing = 0;
  handler: RequestHandler = async () => {};

  async serve(handler: RequestHandler): Promise<void> {
    this.handler = handler;
  }
  async reply(_to: Incoming, answer: Outgoing): Promise<void> {
    if (this.refusing-- > 0) throw new Error('refused');
    this.replies.push(answer);
  }
  async publish(topics: readonly string[], payload: string, envelope: EventEnvelope): Promise<void> {
    if (this.refusing-- > 0) throw new Error('refused');
    this.events.push([...topics, payload, envelope.id]);
  }
  async drain(): Promise<void> {
    this.steps.push('drain');
  }
  async close(): Promise<void> {
    this.steps.push('close');
  }
  healthy(): boolean {
    return true;
  }
}

const authenticator: Authenticator = {
  async bearer(token) {
    if (token === 'bad') throw new Failure('UNAUTHORIZED');
    return anonymous;
  },
  current: async () => anonymous,
  apiKey: async () => ({ ...anonymous, requireSignature: false }),
  nobody: () => anonymous,
  onRevoked: () => {},
  onChanged: () => {},
  holds: () => {},
  tokenVersion: () => undefined,
  tokenVersions: async () => new Map(),
  wasRevoked: () => false,
};
const request = { command: 'list', module: 'version', requestId: 'r1', token: 'known' };
const { token: _, ...unknown } = request;
const incoming = (properties: Incoming['properties'] = {}, value: unknown = request): Incoming => ({
  payload: Buffer.from(JSON.stringify(value)),
  qos: 1,
  properties,
});

let bus: Bus;
let gateway: MqttGateway;

async function start(dispatch: Dispatcher['dispatch'], isOpen = true, strangers?: Limit): Promise<StandInBroker> {
  const broker = new StandInBroker();
  bus = memoryBus();
  const config = { baseTopic: 'nestmtx', eventTopics: 'plain', isOpen } as const;
  const deps = { broker, dispatcher: { dispatch }, authenticator, bus, log: silentLog, config };
  gateway = await startMqttGateway({ ...deps, ...(strangers && { strangersLimit: strangers }) });
  return broker;
}

afterEach(async () => {
  await gateway.stop();
  await bus.close();
});

test('a request that expired while it waited is not run, one that expires while it runs is answered', async () => {
  const ran: unknown[] = [];
  const broker = await start(async ({ requestId }) => ran.push(requestId));
  await broker.handler(incoming({ expiresAt: Date.now() - 1 }));
  expect([ran, broker.replies]).toEqual([[], []]);
  await broker.handler(incoming({ expiresAt: Date.now() + 60_000 }));
  await broker.handler(incoming({ expiresAt: Date.now() + 1 }));
  expect(broker.replies.map(({ expiry }) => expiry)).toEqual([60, 1]);
});

test('an error nobody foresaw is answered without what it says', async () => {
  const broker = await start(async () => {
    throw new Error('hunter2');
  });
  await broker.handler(incoming());
  const { topic, payload } = broker.replies[0] as Outgoing;
  expect(topic).toBe('nestmtx/responses/r1');
  expect(JSON.parse(String(payload)).error.code).toBe('INTERNAL_SERVER_ERROR');
  expect(payload).not.toContain('hunter2');
});

test('correlation data comes back with an answer and not on failures', async () => {
  const broker = await start(async () => 1);
  const correlationData = Buffer.from('c');
  await broker.handler(incoming({ correlationData }));
  await broker.handler(incoming({ correlationData }, 'no object'));
  expect(broker.replies).toMatchObject([
    { topic: 'nestmtx/responses/r1', correlationData },
    { topic: 'nestmtx/failures' },
  ]);
  expect(broker.replies[1]).not.toHaveProperty('correlationData');
});

test('an answer the broker refuses does not reject', async () => {
  const broker = await start(async () => 1);
  broker.refusing = 1;
  await expect(broker.handler(incoming())).resolves.toBeUndefined();
});

test('an event the broker did not take is published again', async () => {
  const broker = await start(async () => 1);
  broker.refusing = 1;
  const published = new Promise<void>((resolve) => {
    const { publish } = broker;
    broker.publish = async (...given) => {
      await publish.apply(broker, given);
      resolve();
    };
  });
  const body = { domain: 'camera', event: 'ready', entity: null, details: {}, at: '2026-01-01T00:00:00.000Z' };
  await bus.emit({ id: 'e1', hearers: { kind: 'users' }, body });
  await published;
  expect(broker.events).toEqual([
    ['nestmtx/events/camera/null/ready', 'nestmtx/stream/camera/ready', JSON.stringify(body), 'e1'],
  ]);
});

test('a stop drains before it disconnects', async () => {
  const broker = await start(async () => 1);
  await gateway.stop();
  expect(broker.steps).toEqual(['drain', 'close']);
});

test.each([
  [true, null],
  [false, 'base64'],
])('where anybody may hear events (%j) the picture of one is %j', async (isOpen, image) => {
  const broker = await start(async () => 1, isOpen);
  const details = { name: 'Porch', image: 'base64' };
  const body = { domain: 'camera', event: 'motion', entity: 'c', details, at: '2026-01-01T00:00:00.000Z' };
  await bus.emit({ id: 'e1', hearers: { kind: 'users' }, body });
  await eventually(
    async () => broker.events.length,
    (events) => events === 1,
    2_000,
  );
  expect(JSON.parse(broker.events[0]?.[2] as string).details).toEqual({ name: 'Porch', image });
});

describe('requests of strangers', () => {
  const codes = (replies: Outgoing[]) => replies.map(({ payload }) => JSON.parse(String(payload)).error?.code);
  const replied = (broker: StandInBroker, count: number) =>
    eventually(
      async () => broker.replies.length,
      (replies) => replies === count,
      2_000,
    );

  test('have a limit together, bad tokens among them, beyond which those who are known are answered', async () => {
    const broker = await start(async () => ({}), true, perMinute(3, 'test'));
    const bad = { ...request, token: 'bad' };
    for (const value of [unknown, bad, unknown]) await broker.handler(incoming({}, value));
    await replied(broker, 3);
    expect(codes(broker.replies).sort()).toEqual(['UNAUTHORIZED', undefined, undefined]);
    for (const value of [unknown, bad, request]) await broker.handler(incoming({}, value));
    expect(codes(broker.replies.slice(3))).toEqual(['RATE_LIMITED', 'RATE_LIMITED', undefined]);
  });

  test('run a few at a time, and take no place from those who are known', async () => {
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const ran: string[] = [];
    const broker = await start(async ({ requestId }) => {
      ran.push(requestId);
      if (requestId !== 'r1') await gate;
      return {};
    });
    for (let n = 0; n < 20; n++) await broker.handler(incoming({}, { ...unknown, requestId: `s${n}` }));
    await broker.handler(incoming());
    expect(ran.filter((id) => id !== 'r1')).toHaveLength(16);
    expect(broker.replies).toHaveLength(1);
    go();
    await gateway.stop();
    expect([ran.length, broker.replies.length]).toEqual([21, 21]);
  });

  test('are refused where too many wait', async () => {
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const broker = await start(() => gate);
    for (let n = 0; n < 1_017; n++) await broker.handler(incoming({}, unknown));
    expect(codes(broker.replies)).toEqual(['UNAVAILABLE']);
    go();
  });
});

test('a request the broker has no place for is answered and not run', async () => {
  let ran = 0;
  const broker = await start(async () => ran++);
  await broker.handler({ ...incoming(), overloaded: true });
  expect(JSON.parse(String(broker.replies[0]?.payload)).error).toMatchObject({ code: 'UNAVAILABLE', retryAfter: 1 });
  expect(ran).toBe(0);
});
