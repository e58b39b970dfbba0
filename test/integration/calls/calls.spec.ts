import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ServiceBroker } from 'moleculer';
import type { NatsConnection } from 'nats';
import type { Dispatcher } from '../../../gateways/core/dispatch.types.ts';
import { createDispatcher } from '../../../gateways/core/dispatcher.ts';
import { connectNats } from '../../../shared/fanout/nats.connection.ts';
import { createBroker } from '../../../shared/runtime/broker.ts';
import { silentLog } from '../../../shared/runtime/log.ts';
import { anonymous } from '../../../shared/runtime/principal.ts';
import { type NatsServer, startNats } from '../../servers/nats.ts';
import { type Running, start } from '../../servers/process.ts';
import { calmly } from '../../system/calm.ts';
import { eventually } from '../../system/clients/wait.ts';
import { labContract } from './lab.contract.ts';

const until = (condition: () => Promise<boolean>) => eventually(condition, Boolean, 8_000);

let nats: NatsServer;
let connection: NatsConnection;
let broker: ServiceBroker;
let dispatcher: Dispatcher;
let labs: Running[] = [];

const lab = async (name: string): Promise<Running> => {
  const script = new URL('./lab.process.ts', import.meta.url).pathname;
  const running = await start({
    name: 'lab',
    command: process.execPath,
    args: [script, nats.url, name],
    ready: /^ready$/,
  });
  labs.push(running);
  await broker.waitForServices('lab', 5_000);
  return running;
};
const call = (command: string, more: { entity?: string; payload?: unknown } = {}) =>
  dispatcher.dispatch({ module: 'lab', command, requestId: 'r', ...more }, anonymous, 'http');
/** The failure of a call, and the seconds until it was known. */
const failure = async (work: Promise<unknown>): Promise<{ type: string; seconds: number; text: string }> => {
  const started = performance.now();
  const error = await work.then(
    (): never => {
      throw new Error('the call succeeded');
    },
    (thrown: Error & { type: string }) => thrown,
  );
  const seconds = (performance.now() - started) / 1_000;
  return { type: error.type, seconds, text: JSON.stringify({ ...error, message: error.message }) };
};

beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());

beforeEach(async () => {
  connection = await connectNats([nats.url], 'gateway');
  broker = createBroker({ role: 'gateway', log: silentLog, connection, requestTimeoutMs: 3_000 });
  const metrics = { observe: () => undefined };
  dispatcher = createDispatcher({ contracts: [labContract], broker, metrics, log: silentLog });
  await broker.start();
});
afterEach(async () => {
  await broker.stop();
  await connection.close();
  await Promise.all(labs.map((running) => running.stop()));
  labs = [];
});

describe('a call over NATS', () => {
  test('is answered, and what the contract does not name is stripped', async () => {
    await lab('a');
    expect(await call('read', { entity: '1' })).toBe('a');
    expect(await call('create', { payload: { name: 'x' } })).toEqual({ name: 'x' });
  });

  test('is refused with the place of the fault when it does not fit the contract', async () => {
    await lab('a');
    await expect(call('create', { payload: { name: 1 } })).rejects.toMatchObject({
      type: 'INVALID_REQUEST',
      data: { details: [{ path: ['payload', 'name'] }] },
    });
    await expect(call('create', { payload: { name: 'x', more: 1 } })).rejects.toMatchObject({
      data: { details: [{ path: ['payload', 'more'] }] },
    });
    await expect(call('read', { entity: 'a\u0000b' })).rejects.toMatchObject({ type: 'INVALID_REQUEST' });
  });

  test('that is larger than NATS carries is refused, either way, and the next one works', async () => {
    await lab('a');
    const large = await failure(call('create', { payload: { name: 'x'.repeat(1_100_000) } }));
    expect(large.type).toBe('PAYLOAD_TOO_LARGE');
    const answer = await failure(call('list', { payload: { letters: 1_100_000 } }));
    expect(answer.type).toBe('PAYLOAD_TOO_LARGE');
    expect(await call('list', { payload: { letters: 3 } })).toEqual({ letters: 'xxx' });
  });

  test('that fails unexpectedly tells nothing of why', async () => {
    await lab('a');
    const { type, text } = await failure(call('break'));
    expect(type).toBe('INTERNAL_SERVER_ERROR');
    expect(text).not.toMatch(/hunter2|lab\.process/);
  });
});

describe('a service that is down', () => {
  test('is UNAVAILABLE at once where it never was there', async () => {
    const { type, seconds } = await failure(call('read', { entity: '1' }));
    expect(type).toBe('UNAVAILABLE');
    expect(seconds).toBeLessThan(calmly(2));
  });

  test('is UNAVAILABLE in under 2 s for the call that ran when it was killed, and for the next', async () => {
    const running = await lab('a');
    const hanging = failure(call('hang'));
    await running.line(/^hanging$/);
    await running.kill('SIGKILL');
    const during = await hanging;
    expect(during).toMatchObject({ type: 'UNAVAILABLE' });
    expect(during.seconds).toBeLessThan(calmly(2));
    const after = await failure(call('hang'));
    expect(after).toMatchObject({ type: 'UNAVAILABLE' });
    expect(after.seconds).toBeLessThan(calmly(2));
  });

  test('is UNAVAILABLE in under 2 s when it was killed and nothing has noticed yet', async () => {
    const running = await lab('a');
    await running.kill('SIGKILL');
    const { type, seconds } = await failure(call('hang'));
    expect(type).toBe('UNAVAILABLE');
    expect(seconds).toBeLessThan(calmly(2));
  });
});

describe('of two processes of a service', () => {
  test('the other answers an idempotent command when one was killed', async () => {
    const [first] = [await lab('a'), await lab('b')];
    await until(
      async () => new Set([await call('read', { entity: '1' }), await call('read', { entity: '1' })]).size === 2,
    );
    await first.kill('SIGKILL');
    for (let round = 0; round < 6; round++) expect(await call('read', { entity: '1' })).toBe('b');
  });

  const create = (name: string) => call('create', { payload: { name } });
  /** What it ran, when it has said so of each: its output comes by another way than its answers. */
  async function created(running: Running, names: string[]): Promise<string[]> {
    for (const name of names) await running.line(new RegExp(`^created ${name}$`));
    return [...running.output().matchAll(/^created (\w+)$/gm)].map(([, name = '']) => name).sort();
  }
  /** Both, known to the gateway, which sends to them in turn. */
  async function both(): Promise<[Running, Running]> {
    const running = { a: await lab('a'), b: await lab('b') };
    const read = () => call('read', { entity: '1' });
    await until(async () => new Set([await read(), await read()]).size === 2);
    return [running.a, running.b];
  }

  test('the other runs, once each, what was sent to one that was killed, idempotent or not', async () => {
    const [first, second] = await both();
    await first.kill('SIGKILL');
    await nobodyAt('a');
    const names = Array.from({ length: 40 }, (_, n) => `n${n}`);
    expect(await Promise.all(names.map(create))).toEqual(names.map((name) => ({ name })));
    expect(await created(second, names)).toEqual(names.sort());
  });

  test('a command the killed one had taken is not run again, while those that never reached it are', async () => {
    const [first, second] = await both();
    const hanging = [failure(call('hang')), failure(call('hang'))];
    await Promise.all([first.line(/^hanging$/), second.line(/^hanging$/)]);
    await first.kill('SIGKILL');
    await nobodyAt('a');
    await Promise.all([create('x'), create('y'), create('z')]);
    expect(await Promise.race(hanging)).toMatchObject({ type: 'UNAVAILABLE' });
    // The other one's own.
    expect((await Promise.all(hanging)).map(({ type }) => type).sort()).toEqual(['TIMEOUT', 'UNAVAILABLE']);
    expect(second.output().match(/^hanging$/gm)).toHaveLength(1);
    expect(await created(second, ['x', 'y', 'z'])).toEqual(['x', 'y', 'z']);
  });

  test('none answers where both were killed, and that is known at once', async () => {
    for (const running of await both()) await running.kill('SIGKILL');
    await Promise.all(['a', 'b'].map(nobodyAt));
    const { type, seconds } = await failure(create('x'));
    expect(type).toBe('UNAVAILABLE');
    expect(seconds).toBeLessThan(calmly(2));
  });
});

describe('a slow service', () => {
  test('is TIMEOUT when the time is up', async () => {
    await lab('a');
    const { type, seconds } = await failure(call('hang'));
    expect(type).toBe('TIMEOUT');
    expect(seconds).toBeGreaterThan(2.9);
    expect(seconds).toBeLessThan(calmly(4));
  });

  test('refuses more than its bulkhead holds, at once', async () => {
    await lab('a');
    const calls = [call('narrow'), call('narrow'), call('narrow')].map(failure);
    const first = await Promise.race(calls);
    expect(first).toMatchObject({ type: 'UNAVAILABLE' });
    expect(first.seconds).toBeLessThan(calmly(1));
    expect((await Promise.all(calls)).map(({ type }) => type).sort()).toEqual(['TIMEOUT', 'TIMEOUT', 'UNAVAILABLE']);
  });

  test('is rested by the circuit breaker after half of twenty calls failed with a server fault', async () => {
    await lab('a');
    for (let round = 0; round < 20; round++) await failure(call('break'));
    expect((await failure(call('break'))).type).toBe('UNAVAILABLE');
    expect(await call('read', { entity: '1' })).toBe('a');
    await until(async () => (await failure(call('break'))).type === 'INTERNAL_SERVER_ERROR');
  });

  test('is not rested for faults of the client', async () => {
    await lab('a');
    for (let round = 0; round < 30; round++) {
      expect((await failure(call('create', { payload: {} }))).type).toBe('INVALID_REQUEST');
    }
  });
});

describe('a NATS server that restarts', () => {
  test('is UNAVAILABLE while it is away, and calls work again when it is back', async () => {
    await lab('a');
    const hanging = failure(call('hang'));
    await labs[0]?.line(/^hanging$/);
    await nats.kill('SIGKILL');
    expect((await hanging).type).toBe('UNAVAILABLE');
    const { type, seconds } = await failure(call('read', { entity: '1' }));
    expect(type).toBe('UNAVAILABLE');
    expect(seconds).toBeLessThan(calmly(2));
    await nats.restart();
    await until(() =>
      call('read', { entity: '1' }).then(
        () => true,
        () => false,
      ),
    );
  });
});

/** Resolves when NATS knows that a lab has no connection; the gateway's broker learns it from its own next request. */
function nobodyAt(name: string): Promise<unknown> {
  const nodes = broker.registry.nodes.toArray().map(({ id }) => id);
  const node = nodes.find((id) => id.startsWith(`lab-${name}-`));
  const subject = `MOL-trigate.ALIVE.${node}`;
  return until(() =>
    connection.request(subject, undefined, { timeout: 50 }).then(
      () => false,
      (error: { code?: string }) => error.code === '503',
    ),
  );
}
