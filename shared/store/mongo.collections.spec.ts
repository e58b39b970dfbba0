import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type MongoServer, startMongo } from '../../test/servers/mongodb.ts';
import type { Person } from './collection.suite.ts';
import { collectionSuite, FIRST_PAGE, PEOPLE, person } from './collection.suite.ts';
import type { Collection, Collections } from './collection.ts';
import { openMongo } from './mongo.collections.ts';

collectionSuite('the MongoDB store', async () => {
  const server = await startMongo();
  let stores = await openMongo(server.url);
  return {
    stores,
    reopen: async () => {
      await stores.close();
      stores = await openMongo(server.url);
      return stores;
    },
    cleanup: async () => {
      await stores.close();
      await server.stop();
    },
  };
});

test('a server that is not there is reported within 3 s', async () => {
  const started = performance.now();
  const opening = openMongo('mongodb://127.0.0.1:1/x');
  await expect(opening).rejects.toMatchObject({ name: 'StoreUnavailable' });
  expect(performance.now() - started).toBeLessThan(3_000);
});

describe('a server that stops answering', () => {
  let server: MongoServer;
  let proxy: StallingProxy;
  let stores: Collections;
  let people: Collection<Person>;
  beforeAll(async () => {
    server = await startMongo();
    const { hostname, port } = new URL(server.url);
    proxy = await StallingProxy.start(hostname, Number(port));
    stores = await openMongo(server.url.replace(`${hostname}:${port}`, `127.0.0.1:${proxy.port}`));
    people = await stores.collection(PEOPLE);
    await people.insert({ ...person('ann', { roles: ['user'] }), id: 'ann' });
  });
  afterAll(async () => {
    proxy.stalled = false;
    await stores?.close();
    await proxy?.stop();
    await server?.stop();
  });

  // Alone on its connection, a call gets no hint from others that fail to connect: only its own bound ends it.
  test('a single call fails as unavailable within 8 s', async () => {
    proxy.stalled = true;
    const started = performance.now();
    await expect(people.get('ann')).rejects.toMatchObject({ name: 'StoreUnavailable' });
    expect(performance.now() - started).toBeLessThan(8_000);
    proxy.stalled = false;
    expect((await people.get('ann'))?.username).toBe('ann');
  });

  test('every method fails as unavailable within 10 s, health within 1.5 s, and all is well afterwards', async () => {
    proxy.stalled = true;
    const started = performance.now();
    const took = (call: Promise<unknown>) =>
      call.then(
        () => 'an answer',
        (error: Error) => `${error.name} ${performance.now() - started < 8_000 ? 'in time' : 'late'}`,
      );
    const healthy = stores.healthy().then((answer) => [answer, performance.now() - started < 1_500]);
    const calls = [
      people.insert(person('bob')),
      people.get('ann'),
      people.find({}, { limit: 1 }),
      people.count({}),
      people.list(FIRST_PAGE),
      people.update('ann', 1, { age: 1 }),
      people.delete('bob'),
      people.deleteMany({ username: 'bob' }),
      people.add('ann', 'roles', 'a', 3),
      people.remove('ann', 'roles', 'a', 0),
    ];
    const answers = await Promise.all(calls.map(took));
    expect(answers).toEqual(calls.map(() => 'StoreUnavailable in time'));
    expect(await healthy).toEqual([false, true]);
    proxy.stalled = false;
    expect((await people.get('ann'))?.username).toBe('ann');
    expect(await stores.healthy()).toBe(true);
  });
});

/** Forwards bytes both ways; stalled, it takes what comes and lets nothing through, as a server that hangs. */
class StallingProxy {
  stalled = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(host: string, port: number) {
    this.#server = createServer((client) => {
      const upstream = connect(port, host);
      this.#join(client, upstream);
      this.#join(upstream, client);
    });
  }

  static async start(host: string, port: number): Promise<StallingProxy> {
    const proxy = new StallingProxy(host, port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (bytes) => {
      if (!this.stalled) to.write(bytes);
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
