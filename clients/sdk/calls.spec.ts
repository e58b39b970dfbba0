import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type SocketioServer, startSocketio } from '../../test/servers/socketio.ts';
import { createClient, type TrigateClient } from './client.ts';
import { TrigateError } from './error.ts';

interface Request {
  module: string;
  command: string;
  requestId: string;
  entity?: string;
  payload?: unknown;
}
type Ack = (answer: unknown) => void;

let server: SocketioServer;
let client: TrigateClient;
let asked: Request[];
let answer: (request: Request, ack: Ack) => void;

beforeEach(async () => {
  server = await startSocketio();
  asked = [];
  server.io.on('connection', (socket) =>
    socket.on('request', (request: Request, ack: Ack) => {
      asked.push(request);
      answer(request, ack);
    }),
  );
  client = createClient({ url: server.url, timeoutMs: 2_000, reconnect: { minDelayMs: 10, maxDelayMs: 50 } });
});
afterEach(async () => {
  client.close();
  await server.close();
});

describe('a call', () => {
  test('waits for the connection, asks by the dialect and resolves to the result', async () => {
    answer = (_request, ack) => ack({ items: [], total: 0 });
    expect(await client.call('cameras.list', { payload: { page: 2 } })).toEqual({ items: [], total: 0 });
    expect(asked).toEqual([
      { module: 'cameras', command: 'list', requestId: expect.any(String), payload: { page: 2 } },
    ]);
    answer = (_request, ack) => ack(null);
    expect(await client.call('cameras.delete', { entity: '7' })).toBeUndefined();
    expect(new Set(asked.map(({ requestId }) => requestId)).size).toBe(2);
  });

  test('rejects with what the server says', async () => {
    const details = [{ message: 'too long', path: ['payload', 'name'] }];
    answer = ({ requestId }, ack) =>
      ack({ error: { code: 'RATE_LIMITED', message: 'Slow down', details, retryAfter: 3 }, requestId });
    const error = await client.call('auth.read').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TrigateError);
    const { requestId } = asked[0] as Request;
    expect(error).toMatchObject({ code: 'RATE_LIMITED', message: 'Slow down', details, retryAfter: 3, requestId });
  });

  test('takes a result that has the keys of a failure for what it is', async () => {
    answer = (_request, ack) => ack({ error: 'a word', requestId: 'of somebody else' });
    expect(await client.call('swagger.list')).toEqual({ error: 'a word', requestId: 'of somebody else' });
  });

  test('ends when the time is over', async () => {
    answer = () => {};
    const message = 'No answer within 100 ms';
    await expect(client.call('auth.read', {}, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'TIMEOUT', message });
  });

  test('ends when the time is over and there never was a connection', async () => {
    const { url } = server;
    await server.close();
    const lonely = createClient({ url });
    const call = lonely.call('auth.read', {}, { timeoutMs: 200 });
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', cause: { code: 'UNAVAILABLE' } });
    lonely.close();
    server = await startSocketio();
  });

  test('that was cut off is sent again where that does no harm', async () => {
    answer = (_request, ack) => (asked.length === 1 ? server.io.disconnectSockets(true) : ack({ id: '1' }));
    expect(await client.call('cameras.read', { entity: '1' })).toEqual({ id: '1' });
    expect(asked).toHaveLength(2);
  });

  test('that was cut off and changes something is not sent again', async () => {
    answer = () => server.io.disconnectSockets(true);
    const call = client.call('rooms.send', { entity: 'r', payload: { message: 'x' } });
    await expect(call).rejects.toMatchObject({ code: 'DISCONNECTED' });
    expect(asked).toHaveLength(1);
  });

  test('whose parameters cannot be sent is refused at once', async () => {
    const round: { payload?: unknown } = {};
    round.payload = round;
    for (const payload of [round, { page: 1n }]) {
      const call = client.call('cameras.list', { payload } as never, { timeoutMs: 60_000 });
      await expect(call).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    }
    expect(asked).toEqual([]);
  });

  test.each([
    ['auth.read', {}],
    ['rooms.send', { entity: 'r', payload: { message: 'x' } }],
  ] as const)('rejects when the client is closed, also one that waits (%s)', async (name, params) => {
    answer = () => client.close();
    await expect(client.call(name, params as never)).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(client.call('auth.read')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('is refused where a thousand are open', async () => {
    const acks: Ack[] = [];
    const all = new Promise<void>((resolve) => {
      answer = (_request, ack) => acks.push(ack) === 1_000 && resolve();
    });
    const open = Array.from({ length: 1_000 }, () => client.call('auth.read'));
    await expect(client.call('auth.read')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await all;
    for (const ack of acks) ack({ id: '1' });
    expect((await Promise.all(open)).length).toBe(1_000);
  });
});

test('a handler hears its event until it is taken off', async () => {
  answer = (_request, ack) => ack({ id: '1' });
  await client.call('auth.read');
  const heard: unknown[] = [];
  const off = client.on('camera:created', ({ entity, details }) => heard.push([entity, details.name]));
  const emit = async (entity: string) => {
    const told = new Promise((resolve) => client.socket.once('camera:created', resolve));
    server.io.emit('camera:created', { domain: 'camera', event: 'created', entity, details: { name: 'a' }, at: '' });
    await told;
  };
  await emit('1');
  off();
  await emit('2');
  expect(heard).toEqual([['1', 'a']]);
});
