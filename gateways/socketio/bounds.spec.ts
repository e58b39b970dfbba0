import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { Server } from 'socket.io';
import { SocketsPerUser } from './bounds.ts';

/** A stand-in for the rooms of a server: the sockets of each user. */
function server() {
  const rooms = new Map<string, Set<string>>();
  const io = { of: () => ({ adapter: { rooms } }) } as unknown as Server;
  const join = (id: string) => rooms.set('user:ann', (rooms.get('user:ann') ?? new Set()).add(id));
  return { io, join };
}
const nowhere = { count: () => 0 };
const full = expect.objectContaining({ type: 'LIMIT_EXCEEDED' });

describe('the connections of a user', () => {
  test('count from when they are let in, before they are in the room of the user', () => {
    const hits: string[] = [];
    const { io } = server();
    const bound = new SocketsPerUser(io, 2, (limit) => hits.push(limit), nowhere);
    bound.enter('ann', 'a');
    bound.enter('ann', 'b');
    expect(() => bound.enter('ann', 'c')).toThrow(full);
    bound.enter('bob', 'd');
    expect(hits).toEqual(['sockets_per_user']);
  });

  test('count once when they are in it', () => {
    const { io, join } = server();
    const bound = new SocketsPerUser(io, 2, () => {}, nowhere);
    bound.enter('ann', 'a');
    join('a');
    bound.enter('ann', 'b');
    join('b');
    expect(() => bound.enter('ann', 'c')).toThrow(full);
  });

  test('do not count where the client has gone meanwhile', async () => {
    const { io } = server();
    const bound = new SocketsPerUser(io, 1, () => {}, nowhere);
    bound.enter('ann', 'a');
    await turn();
    bound.enter('ann', 'b');
    expect(() => bound.enter('ann', 'c')).toThrow(full);
  });

  test('count at other gateways too, but for one that takes its place again', () => {
    const { io, join } = server();
    const bound = new SocketsPerUser(io, 2, () => {}, { count: (id) => (id === 'ann' ? 1 : 0) });
    bound.enter('ann', 'a');
    join('a');
    expect(() => bound.enter('ann', 'b')).toThrow(full);
    join('b');
    bound.enter('ann', 'b', true);
    join('c');
    expect(() => bound.enter('ann', 'c', true)).toThrow(full);
  });

  test('are without limit where it is 0', () => {
    const { io } = server();
    const bound = new SocketsPerUser(io, 0, () => {}, nowhere);
    for (let n = 0; n < 1_000; n += 1) bound.enter('ann', `${n}`);
  });
});
