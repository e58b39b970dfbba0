import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { NatsConnection } from 'nats';
import { byEntity, eventOf, Heard } from '../../shared/fanout/bus.suite.ts';
import type { Bus, EventEnvelope } from '../../shared/fanout/bus.ts';
import { natsBus } from '../../shared/fanout/nats.bus.ts';
import { connectNats } from '../../shared/fanout/nats.connection.ts';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { start } from '../servers/process.ts';
import { startProxy, type TcpProxy } from '../servers/proxy.ts';
import { calmly } from '../system/calm.ts';

let server: NatsServer;
const connections: NatsConnection[] = [];
const buses: Bus[] = [];

beforeEach(async () => {
  server = await startNats();
});

afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
  await server.stop();
});

async function open(name: string, url = server.url): Promise<{ bus: Bus; connection: NatsConnection }> {
  const connection = await connectNats([url], name);
  connections.push(connection);
  const bus = await natsBus(connection, { prefix: 'chaos' });
  buses.push(bus);
  return { bus, connection };
}

/** Each id once, where it came first. */
function firsts(envelopes: readonly EventEnvelope[]): EventEnvelope[] {
  const seen = new Set<string>();
  return envelopes.filter(({ id }) => !seen.has(id) && seen.add(id));
}

/** Leaves of the lists only what is in `acknowledged`; an emit that failed may or may not have been stored. */
const only = (envelopes: readonly EventEnvelope[], acknowledged: ReadonlySet<string>) =>
  envelopes.filter(({ id }) => acknowledged.has(id));

describe('while nats-server is killed and comes back', () => {
  /** Emits to each entity one event after another, and tells which were acknowledged. */
  async function emitThroughCrashes(bus: Bus, crash: () => Promise<void>): Promise<EventEnvelope[]> {
    const acknowledged: EventEnvelope[] = [];
    let over = false;
    const entity = async (n: number) => {
      for (let at = 0; !over; at += 1) {
        const event = eventOf(`camera-${n}`, { at });
        await bus.emit(event).then(
          () => acknowledged.push(event),
          () => {},
        );
      }
    };
    const emitting = Promise.all(Array.from({ length: 10 }, (_, n) => entity(n)));
    await crash();
    over = true;
    await emitting;
    return acknowledged;
  }

  test('every acknowledged event reaches a tier and plain followers, in order per entity', async () => {
    const [emitter, left, right] = [await open('emitter'), await open('left'), await open('right')];
    const [all, shared] = [new Heard(), new Heard()];
    await left.bus.follow({}, all.hear);
    await left.bus.follow({ tier: 'work' }, shared.hear);
    await right.bus.follow({ tier: 'work' }, shared.hear);

    const acknowledged = await emitThroughCrashes(emitter.bus, async () => {
      for (let crashes = 1; crashes <= 2; crashes += 1) {
        await all.until(crashes * 500);
        await server.kill('SIGKILL');
        await server.restart();
      }
      await all.until(all.envelopes.length + 500);
    });
    const last = eventOf('last');
    await emitter.bus.emit(last);
    const ids = new Set(acknowledged.map(({ id }) => id));
    const missing = (heard: Heard) => [...ids].filter((id) => !heard.ids.includes(id)).length;
    const deadline = Date.now() + calmly(20_000);
    while (Date.now() < deadline && (missing(all) > 0 || missing(shared) > 0)) await tick(100);

    const told = (heard: Heard) => `${missing(heard)} lost, ${heard.ids.length - new Set(heard.ids).size} twice`;
    console.info(
      `bus: 2 crashes of NATS, ${acknowledged.length} events acknowledged; to a follower ${told(all)}; to a tier ${told(shared)}`,
    );
    expect(acknowledged.length).toBeGreaterThan(1_000);
    expect([missing(all), missing(shared)]).toEqual([0, 0]);
    expect(new Set(all.ids).size).toBe(all.ids.length);
    expect(byEntity(only(all.envelopes, ids))).toEqual(byEntity(acknowledged));
    expect(byEntity(only(firsts(shared.envelopes), ids))).toEqual(byEntity(acknowledged));
  }, 60_000);

  test('notices go on afterwards, and listeners are told of the gap', async () => {
    const [one, two] = [await open('one'), await open('two')];
    const gap = new Promise<void>((resolve) => two.bus.onGap(resolve));
    const back = new Promise<void>((resolve) => one.bus.onGap(resolve));
    const heard = new Promise<unknown>((resolve, reject) => {
      two.bus.listen('a', resolve).catch(reject);
    });
    await server.kill('SIGKILL');
    await new Promise<void>((resolve) => {
      const poll = setInterval(() => {
        if (one.bus.healthy() || two.bus.healthy()) return;
        clearInterval(poll);
        resolve();
      }, 10);
    });
    await server.restart();
    await Promise.all([gap, back]);
    expect([one.bus.healthy(), two.bus.healthy()]).toEqual([true, true]);
    one.bus.notify('a', 'after');
    expect(await heard).toBe('after');
  });

  test('an emit fails within its bound when the server stays away', async () => {
    const { bus } = await open('alone');
    await server.kill('SIGKILL');
    const since = Date.now();
    await expect(bus.emit(eventOf('a'))).rejects.toThrow('could not be stored');
    expect(Date.now() - since).toBeLessThan(calmly(6_000));
  }, 15_000);

  test('followers go on where the server came back without its files', async () => {
    const { bus } = await open('one');
    const [all, shared] = [new Heard(), new Heard()];
    await bus.follow({}, all.hear);
    await bus.follow({ tier: 'work' }, shared.hear);
    for (let n = 0; n < 10; n += 1) await bus.emit(eventOf('a'));
    await Promise.all([all.until(10), shared.until(10)]);
    await server.kill('SIGKILL');
    await rm(server.storeDir, { recursive: true });
    await server.restart();
    // The followers make the stream again; until then there is nothing that could acknowledge an emit.
    const event = eventOf('a');
    await bus.emit(event);
    await Promise.all([all.until(11), shared.until(11)]);
    expect([all.ids[10], shared.ids[10]]).toEqual([event.id, event.id]);
  });
});

describe('while one process is cut off from nats-server', () => {
  async function behindProxy(fault: (proxy: TcpProxy) => void) {
    const proxy = await startProxy(server.port);
    const [far, near] = [await open('far', `nats://127.0.0.1:${proxy.port}`), await open('near')];
    const [all, shared] = [new Heard(), new Heard()];
    await far.bus.follow({}, all.hear);
    await far.bus.follow({ tier: 'work' }, shared.hear);
    const events = Array.from({ length: 60 }, (_, n) => eventOf(`camera-${n % 7}`));
    for (const event of events.slice(0, 20)) await near.bus.emit(event);
    await Promise.all([all.until(20), shared.until(20)]);
    fault(proxy);
    for (const event of events.slice(20, 40)) await near.bus.emit(event);
    return { proxy, far, near, all, shared, events };
  }

  type Situation = Awaited<ReturnType<typeof behindProxy>>;

  async function expectNothingMissed({ near, all, shared, events, proxy }: Situation) {
    for (const event of events.slice(40)) await near.bus.emit(event);
    await Promise.all([all.until(60), shared.until(60)]);
    expect(all.ids).toEqual(events.map(({ id }) => id));
    expect(byEntity(shared.envelopes)).toEqual(byEntity(events));
    await proxy.close();
  }

  test('its followers get afterwards what they missed, each once and in order', async () => {
    const situation = await behindProxy((proxy) => proxy.cut());
    situation.proxy.restore();
    await expectNothingMissed(situation);
  });

  test('a link that is half open is noticed within 20 s', async () => {
    const situation = await behindProxy((proxy) => proxy.stall());
    const since = Date.now();
    const { bus } = situation.far;
    while (bus.healthy() && Date.now() - since < 25_000) await tick(100);
    console.info(`bus: a half-open link was noticed after ${((Date.now() - since) / 1_000).toFixed(1)} s`);
    expect(Date.now() - since).toBeLessThan(calmly(20_000));
    situation.proxy.restore();
    await expectNothingMissed(situation);
  }, 45_000);
});

describe('when a process of a tier dies in the middle of handling', () => {
  test('another takes the event over within the ack wait', async () => {
    const [emitter, left, right] = [await open('emitter'), await open('left'), await open('right')];
    const stuck = new Heard();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await left.bus.follow({ tier: 'work' }, async (envelope) => {
      await stuck.hear(envelope);
      await held;
    });
    const [event, next] = [eventOf('a'), eventOf('a')];
    await emitter.bus.emit(event);
    await emitter.bus.emit(next);
    await stuck.until(1);
    const taken = new Heard();
    await right.bus.follow({ tier: 'work' }, taken.hear);
    const since = Date.now();
    await left.connection.close();
    await taken.until(2);
    console.info(`bus: the events of a process that died were taken over after ${Date.now() - since} ms`);
    expect(Date.now() - since).toBeLessThan(calmly(7_000));
    expect(taken.ids).toEqual([event.id, next.id]);
    release();
  }, 20_000);

  test('also when the process is killed', async () => {
    const { bus } = await open('survivor');
    const script = fileURLToPath(new URL('./bus-follower.ts', import.meta.url));
    const args = ['--experimental-strip-types', '--no-warnings', script, server.url, 'chaos', 'work'];
    const follower = await start({ name: 'a follower', command: process.execPath, args, ready: /^following$/ });
    const events = Array.from({ length: 30 }, (_, n) => eventOf(`camera-${n % 10}`));
    for (const event of events) await bus.emit(event);
    await follower.kill('SIGKILL');
    const taken = new Heard();
    const since = Date.now();
    await bus.follow({ tier: 'work' }, taken.hear);
    await taken.until(events.length);
    console.info(`bus: the events of a process that was killed were taken over after ${Date.now() - since} ms`);
    expect(Date.now() - since).toBeLessThan(calmly(7_000));
    expect(byEntity(taken.envelopes)).toEqual(byEntity(events));
  }, 20_000);

  test('a handler that takes longer than the ack wait keeps its event', async () => {
    const [one, two] = [await open('one'), await open('two')];
    const heard = new Heard();
    const slowly = async (envelope: EventEnvelope) => {
      await heard.hear(envelope);
      if (heard.envelopes.length === 1) await tick(7_000);
    };
    await one.bus.follow({ tier: 'slow' }, slowly);
    await two.bus.follow({ tier: 'slow' }, slowly);
    const [event, next] = [eventOf('a'), eventOf('a')];
    await one.bus.emit(event);
    await one.bus.emit(next);
    await heard.until(2);
    expect(heard.ids).toEqual([event.id, next.id]);
  }, 20_000);
});

function tick(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
