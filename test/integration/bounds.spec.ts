import type { Socket as TcpSocket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { eventually, within } from '../system/clients/wait.ts';
import { metricsOf, sumOf } from '../system/metrics.ts';
import type { System } from '../system/system.ts';
import { Cast, type Heard, next } from './seeds/cast.ts';
import { systems } from './seeds/systems.ts';

const perUser = 6;
const perAddress = 60;
const env = {
  SOCKETS_PER_USER: `${perUser}`,
  RATE_LIMIT_CONNECTIONS: `${perAddress}`,
  RATE_LIMIT_MESSAGES: '1200',
  TRUST_PROXY: '1',
};

const text = 'y'.repeat(50_000);
const tcpOf = (socket: Socket): TcpSocket =>
  (socket.io.engine as unknown as { transport: { ws: { _socket: TcpSocket } } }).transport.ws._socket;
/** What is sent leaves in one write, so that a gateway has all of it before it answers any. */
async function inOneWrite<T>(socket: Socket, send: () => Promise<T>): Promise<T> {
  const tcp = tcpOf(socket);
  const { engine } = socket.io;
  tcp.cork();
  const answers = send();
  while (engine.writeBuffer.length > 0) await new Promise<void>((resolve) => engine.once('drain', resolve));
  tcp.uncork();
  return answers;
}

describe.each(systems)('bounds of %s', (name, start) => {
  let system: System;
  let cast: Cast;
  let addresses = 0;
  /** Reads nothing from the beginning on, and little waits for it. */
  let stalled: { since: number; end(): void } | undefined;
  const ownAddress = (): string => {
    addresses += 1;
    return `10.0.0.${addresses}`;
  };
  beforeAll(async () => {
    system = await start(env);
    cast = await Cast.of(system);
    stalled = await stall(system.socketioUrls.at(-1) as string);
  }, 60_000);
  afterEach(() => cast?.closeSockets());
  afterAll(async () => {
    stalled?.end();
    await system?.stop();
  }, 30_000);

  const allHits = async (limit: string): Promise<number> =>
    sumOf(await metricsOf(system.socketioUrls), 'trigate_limits_hit_total', { protocol: 'socketio', limit });
  const allUnauthenticated = async (): Promise<number> =>
    sumOf(await metricsOf(system.socketioUrls), 'socket_server_connections_total', { authenticated: 'false' });
  /** What has been added since now. */
  async function since(total: () => Promise<number>): Promise<() => Promise<number>> {
    const before = await total();
    return async () => (await total()) - before;
  }
  /** How often a limit was hit since now. */
  const counting = (limit: string): Promise<() => Promise<number>> => since(() => allHits(limit));

  /** A connection to one gateway, from an address of its own where none is given. */
  function open(url: string, token: string, from = ownAddress()): Socket {
    const extraHeaders = { 'X-Forwarded-For': from };
    const options = { forceNew: true, reconnection: false, transports: ['websocket'], auth: { token }, extraHeaders };
    return cast.owned(io(url, options));
  }
  const refusal = (socket: Socket): Promise<{ code: string; retryAfter?: number }> =>
    new Promise((resolve) => socket.once('connect_error', (error) => resolve((error as unknown as Heard).data)));
  const outcome = (socket: Socket): Promise<string> =>
    within(
      new Promise((resolve) => {
        socket.once('system:welcome', () => resolve('in'));
        refusal(socket).then(({ code }) => resolve(code));
      }),
      'the end of a handshake',
    );
  const connect = async (token: string, url = system.socketioUrls[0] as string): Promise<Socket> => {
    const socket = open(url, token);
    expect(await outcome(socket)).toBe('in');
    return socket;
  };

  test('a user has so many connections over all gateways, also where they come to one at once', async () => {
    const [hits, unauthenticated] = [await counting('sockets_per_user'), await since(allUnauthenticated)];
    const person = await cast.stage.person();
    const [url] = system.socketioUrls as [string];
    const sockets = Array.from({ length: perUser + 4 }, () => open(url, person.token));
    const outcomes = await Promise.all(sockets.map(outcome));
    expect(outcomes.filter((one) => one === 'in')).toHaveLength(perUser);
    expect(outcomes.filter((one) => one === 'LIMIT_EXCEEDED')).toHaveLength(4);
    expect([await hits(), await unauthenticated()]).toEqual([4, 0]);
    const [first] = sockets.filter(({ connected }) => connected) as [Socket];
    const more = async (gateway: string) => {
      const socket = open(gateway, person.token);
      return outcome(socket).finally(() => socket.close());
    };
    const soon = (gateway: string, wanted: string) =>
      eventually(
        () => more(gateway),
        (one) => one === wanted,
        5_000,
      );
    for (const gateway of system.socketioUrls) await soon(gateway, 'LIMIT_EXCEEDED');
    first.close();
    for (const gateway of system.socketioUrls) await soon(gateway, 'in');
  });

  /** What several gateways let through together that have a limit per minute: its share of notices under way included. */
  const mostOf = (limit: number): number => {
    const { length: gateways } = system.socketioUrls;
    return limit * (1 + (gateways - 1) / 20) + 2 * gateways;
  };

  test('an address opens so many connections a minute over all gateways, and is told when to come back', async () => {
    const [hits, unauthenticated] = [await counting('connections'), await since(allUnauthenticated)];
    const [outcomes, from]: [string[], string] = [[], ownAddress()];
    const gateways = system.socketioUrls;
    const most = mostOf(perAddress);
    for (let n = 0; n < most + gateways.length; n += 1) {
      outcomes.push(await outcome(open(gateways[n % gateways.length] as string, 'no token', from)));
    }
    const refused = outcomes.filter((one) => one === 'RATE_LIMITED').length;
    expect(outcomes.length - refused).toBeGreaterThanOrEqual(perAddress);
    expect(outcomes.length - refused).toBeLessThanOrEqual(most);
    expect(outcomes.slice(-gateways.length)).toEqual(gateways.map(() => 'RATE_LIMITED'));
    expect([await hits(), await unauthenticated()]).toEqual([refused, outcomes.length - refused]);
    for (const gateway of gateways) {
      const { code, retryAfter } = await within(refusal(open(gateway, 'no token', from)), 'a refusal');
      expect([code, Number.isInteger(retryAfter)]).toEqual(['RATE_LIMITED', true]);
      expect(retryAfter).toBeGreaterThan(0);
      expect(retryAfter).toBeLessThanOrEqual(60);
    }
  });

  test('an address begins twice as many sessions a minute, also where it never connects', async () => {
    const [headers, gateways] = [{ 'X-Forwarded-For': ownAddress() }, system.socketioUrls];
    const statuses: number[] = [];
    while (statuses.at(-1) !== 429 && statuses.length <= mostOf(2 * perAddress)) {
      const url = `${gateways[statuses.length % gateways.length]}/socket.io/?EIO=4&transport=polling`;
      statuses.push((await fetch(url, { headers })).status);
    }
    expect(statuses.at(-1)).toBe(429);
    expect(statuses.length).toBeGreaterThan(2 * perAddress);
  });

  test('a connection joins so many rooms, and sends so many messages a minute', async () => {
    const [rooms, messages] = [await counting('rooms_per_socket'), await counting('messages')];
    const socket = await connect(cast.people.user.token);
    for (let at = 0; at < 1_000; at += 50) {
      const names = Array.from({ length: 50 }, (_, n) => `bound-${at + n}`);
      await Promise.all(names.map((room) => socket.emitWithAck('join_room', { room })));
    }
    expect(await socket.emitWithAck('join_room', { room: 'one more' })).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await rooms()).toBe(1);
    const answers: Heard[] = [];
    for (let n = 0; n < 200; n += 1) answers.push(await socket.emitWithAck('leave_room', { room: 'none' }));
    const limited = answers.filter(({ code }) => code === 'RATE_LIMITED');
    expect(limited).toHaveLength(1);
    expect(limited[0].retryAfter).toBeGreaterThan(0);
    expect(await messages()).toBe(1);
  });

  test('a connection has so many requests under way', async () => {
    const hits = await counting('running');
    const socket = await connect(cast.people.user.token);
    const request = (n: number) => ({ command: 'list', module: 'rooms', requestId: `r${n}` });
    const answers = await inOneWrite(socket, () =>
      Promise.all(Array.from({ length: 150 }, (_, n) => socket.emitWithAck('request', request(n)))),
    );
    const limited = answers.filter(({ error }) => error?.code === 'RATE_LIMITED').length;
    expect(limited).toBeGreaterThan(0);
    expect(limited).toBeLessThanOrEqual(50);
    expect(await hits()).toBe(limited);
  });

  test('a message has so many bytes', async () => {
    const hits = await counting('message_size');
    const socket = await connect(cast.people.user.token);
    const long = (bytes: number) => ({ to: cast.people.user.id, message: 'x'.repeat(bytes) });
    expect(await socket.emitWithAck('send_message', long(1_100_000))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await hits()).toBe(1);
    const gone = next(socket, 'disconnect');
    socket.emit('send_message', long(2_200_000));
    await gone;
    await eventually(hits, (count) => count === 2, 5_000);
  });

  test('an event of almost 1 MB reaches every gateway, and one that is too large is refused', async () => {
    const sockets = await Promise.all(system.socketioUrls.map((url) => connect(cast.people.stranger.token, url)));
    const room = cast.room();
    for (const socket of sockets) await socket.emitWithAck('join_room', { room });
    const heard = Promise.all(sockets.map((socket) => next(socket, 'flood')));
    await push(room, { text: 'y'.repeat(999_000) });
    expect((await heard).map(({ text }) => text.length)).toEqual(sockets.map(() => 999_000));
    const refused = await post(room, { text: 'y'.repeat(1_000_000) });
    expect([refused.status, await refused.json()]).toMatchObject([413, { code: 'PAYLOAD_TOO_LARGE' }]);
    // Numbers are longer when they are written out.
    const grows = await post(room, Array(100_000).fill(0), (body) => body.replaceAll(/0(?=[,\]])/g, '9e20'));
    expect(grows.status).toBe(system.nats ? 413 : 200);
  });

  test.each([
    ['to a user', 'send_message', 'new_message', () => ({ to: cast.people.stranger.id })],
    ['to everybody', 'send_message', 'new_message', () => ({})],
    ['from an administrator', 'admin_broadcast', 'admin_announcement', () => ({})],
  ])('a message %s is heard at every gateway or refused, also where it grows', async (_which, event, on, place) => {
    const sockets = await Promise.all(system.socketioUrls.map((url) => connect(cast.people.stranger.token, url)));
    const sender = await connect(cast.people.admin.token);
    const heard = Promise.all(sockets.map((socket) => next(socket, on)));
    // Numbers are longer when they are written out; a client would write them out itself. Where it is heard it must not
    // be too much for the one who takes nothing.
    const count = system.nats ? 100_000 : 5_000;
    const numbers = `[${Array(count).fill('9e20').join(',')}]`;
    const refused = system.nats ? next(sender, 'exception') : undefined;
    sender.io.engine.write(
      `2["${event}",${JSON.stringify({ ...place(), message: 'grows' }).replace('"grows"', numbers)}]`,
    );
    if (refused) {
      expect(await refused).toMatchObject({ event, code: 'PAYLOAD_TOO_LARGE' });
      await sender.emitWithAck(event, { ...place(), message: 'after' });
    }
    for (const { message } of await heard)
      expect(system.nats ? message : message.length).toBe(system.nats ? 'after' : count);
  });

  test('who stops reading is cut before much waits for it, and the others do not notice', async () => {
    const hits = await counting('unread_bytes');
    const room = cast.room();
    const stuck = await connect(cast.people.stranger.token);
    await stuck.emitWithAck('join_room', { room });
    const readers: Socket[] = [];
    const latencies: number[] = [];
    const heard = new Map<Socket, number[]>();
    for (const url of [...system.socketioUrls, ...system.socketioUrls]) {
      const socket = await connect(cast.people.user.token, url);
      await socket.emitWithAck('join_room', { room });
      const numbers: number[] = [];
      heard.set(socket, numbers);
      socket.on('flood', ({ n, at }: Heard) => {
        numbers.push(n);
        latencies.push(performance.now() - at);
      });
      readers.push(socket);
    }
    const [gateway] = system.socketioUrls as [string];
    const before = await waitingAt(gateway);
    const held = async () => (await waitingAt(gateway)) - before;
    const began = performance.now();
    const tcp = tcpOf(stuck);
    tcp.pause();
    let [sent, most] = [0, 0];
    while ((await hits()) === 0) {
      if (sent > 2_000) throw new Error('100 MB were sent and nobody was cut');
      for (let more = 0; more < 10; more += 1) {
        await push(room, { n: sent, at: performance.now(), text });
        sent += 1;
      }
      most = Math.max(most, await held());
    }
    const cutAfter = performance.now() - began;
    // Paused, it would not learn that it was cut.
    tcp.destroy();
    for (let more = 0; more < 20; more += 1) await push(room, { n: sent++, at: performance.now(), text });
    for (const numbers of heard.values()) {
      await eventually(
        async () => numbers.length,
        (count) => count === sent,
        5_000,
      );
      expect(numbers).toEqual(Array.from({ length: sent }, (_, n) => n));
    }
    const p99 = latencies.sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? 0;
    const megabytes = (bytes: number) => (bytes / 1_048_576).toFixed(1);
    console.info(
      `${name}: cut after ${megabytes(sent * text.length)} MB and ${(cutAfter / 1_000).toFixed(1)} s; ` +
        `${readers.length} others: p99 ${p99.toFixed(1)} ms; ${megabytes(most)} MB waited for it at most`,
    );
    expect(p99).toBeLessThan(1_000);
    // Its own and, for a moment, what the others are just being sent.
    expect(most).toBeLessThan(1_048_576 + readers.length * text.length);
    await eventually(held, (bytes) => bytes < text.length, 5_000);
    expect(cutAfter).toBeLessThan(30_000);
    expect(readers.every(({ connected }) => connected)).toBe(true);
    expect(await hits()).toBe(1);
  }, 60_000);

  test('who was away and missed too much begins anew', async () => {
    const { user, stranger } = cast.people;
    const [socket, sender] = [await connect(user.token), await connect(stranger.token)];
    const room = cast.room();
    await socket.emitWithAck('join_room', { room });
    const heard = next(socket, 'flood');
    await push(room, { n: 1 });
    await heard;
    const gone = next(socket, 'disconnect');
    socket.io.engine.close();
    await gone;
    for (let n = 0; n < 12; n += 1) await push(room, { text });
    await sender.emitWithAck('ping');
    const failed = next(socket, 'system:state_recovery_failed');
    const flood: unknown[] = [];
    socket.on('flood', (data) => flood.push(data));
    socket.connect();
    await failed;
    await socket.emitWithAck('ping');
    expect([flood, socket.recovered]).toEqual([[], false]);
  });

  test('who takes nothing is cut within 30 s, however little waits', async () => {
    const { since } = stalled as NonNullable<typeof stalled>;
    await eventually(
      () => allHits('unread_time'),
      (count) => count === 1,
      40_000,
    );
    const seconds = (performance.now() - since) / 1_000;
    console.info(`${name}: a client that took nothing was cut after ${seconds.toFixed(1)} s`);
    expect(seconds).toBeLessThan(34);
  }, 45_000);

  const waitingAt = async (url: string) => sumOf(await metricsOf([url]), 'trigate_unread_bytes');

  /** What the system takes for itself is sent first, then a little that waits in the process. */
  async function stall(url: string) {
    const room = cast.room();
    const extraHeaders = { 'X-Forwarded-For': ownAddress() };
    const auth = { token: cast.people.admin.token };
    const socket = io(url, { forceNew: true, reconnection: false, transports: ['websocket'], auth, extraHeaders });
    await next(socket, 'system:welcome');
    await socket.emitWithAck('join_room', { room });
    const tcp = tcpOf(socket);
    tcp.pause();
    for (let calm = 0; calm < 2; calm += (await waitingAt(url)) > 0 ? 1 : 0) {
      // Several at once: it must stand still for 30 s before Engine.IO misses the answer to its second ping.
      if (calm === 0) await Promise.all(Array.from({ length: 8 }, () => push(room, { text })));
    }
    return {
      since: performance.now(),
      end() {
        tcp.destroy();
        socket.close();
      },
    };
  }

  const post = (room: string, data: object, write = (body: string) => body) =>
    fetch(`${system.httpUrls[0]}/api/room`, {
      method: 'POST',
      headers: { 'x-api-key': system.apiKey, 'content-type': 'application/json' },
      body: write(JSON.stringify({ room, event: 'flood', data })),
    });
  async function push(room: string, data: object): Promise<void> {
    expect((await post(room, data)).status).toBe(200);
  }
});
