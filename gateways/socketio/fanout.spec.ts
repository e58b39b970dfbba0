import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Server } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';
import { type Audience, type Fanout, socketRoom } from '../../shared/fanout/fanout.ts';
import { socketioFanout } from './fanout.ts';

const warnings: object[] = [];
let io: Server;
let fanout: Fanout;
let clients: Socket[];

/** Three clients; each is in the rooms of these audiences. */
const audiences: Audience[][] = [
  [
    { kind: 'room', name: 'a' },
    { kind: 'room', name: 'b' },
    { kind: 'user', id: '1' },
  ],
  [
    { kind: 'room', name: 'b' },
    { kind: 'user', id: '1' },
  ],
  [{ kind: 'role', role: 'admin' }],
];

beforeEach(async () => {
  warnings.length = 0;
  const server = createServer();
  io = new Server(server);
  fanout = socketioFanout(io, { warn: (fields: object) => void warnings.push(fields) } as never);
  io.on('connection', (socket) => {
    const own = audiences[Number(socket.handshake.auth.index)] as Audience[];
    socket.join(own.map((audience) => socketRoom(audience) as string));
    socket.emit('joined');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  clients = audiences.map((_own, index) => connect(`http://127.0.0.1:${port}`, { forceNew: true, auth: { index } }));
  await Promise.all(clients.map((client) => new Promise((resolve) => client.once('joined', resolve as () => void))));
});
afterEach(async () => {
  for (const client of clients) client.close();
  await fanout.close();
  await io.close();
});

/** What each client hears until it hears `end`, which everybody does. */
async function heard(act: () => unknown): Promise<unknown[][]> {
  const all = clients.map((client) => {
    const words: unknown[] = [];
    client.on('word', (...args: unknown[]) => words.push(args));
    return new Promise<unknown[]>((resolve) => client.once('end', () => resolve(words)));
  });
  await act();
  fanout.emit([{ kind: 'everyone' }], 'end', []);
  return Promise.all(all);
}

describe('an event', () => {
  test.each<[string, Audience[], unknown[][]]>([
    ['a room', [{ kind: 'room', name: 'b' }], [[['x', 1]], [['x', 1]], []]],
    ['a user', [{ kind: 'user', id: '1' }], [[['x', 1]], [['x', 1]], []]],
    ['a role', [{ kind: 'role', role: 'admin' }], [[], [], [['x', 1]]]],
    [
      'two rooms, once',
      [
        { kind: 'room', name: 'a' },
        { kind: 'room', name: 'b' },
      ],
      [[['x', 1]], [['x', 1]], []],
    ],
    ['everyone', [{ kind: 'everyone' }, { kind: 'room', name: 'a' }], [[['x', 1]], [['x', 1]], [['x', 1]]]],
    ['nobody', [], [[], [], []]],
    ['a room nobody is in', [{ kind: 'room', name: 'c' }], [[], [], []]],
    ['a room named as a user’s', [{ kind: 'room', name: 'user:1' }], [[], [], []]],
  ])('reaches %s, and as many are counted', async (_who, to, expected) => {
    expect(await heard(() => fanout.emit(to, 'word', ['x', 1]))).toEqual(expected);
    const counted = await fanout.deliver(to, 'word', ['x', 1]);
    expect(counted).toEqual({ recipients: expected.filter(({ length }) => length > 0).length });
  });

  test('with a name of Socket.IO’s own is not handed on, and logged', () => {
    fanout.emit([{ kind: 'everyone' }], 'disconnect', []);
    expect(warnings).toEqual([expect.objectContaining({ event: 'disconnect' })]);
  });
});

test('the status counts sockets, and rooms that clients joined', async () => {
  expect(await fanout.status()).toEqual({ connections: 3, rooms: 2 });
});
