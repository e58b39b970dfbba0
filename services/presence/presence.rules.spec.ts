import { beforeEach, describe, expect, test } from '@jest/globals';
import type { PresentSession } from '../../shared/fanout/presence.notices.ts';
import { presenceIndex } from './presence.rules.ts';

const session = (id: string, user: string): PresentSession => ({
  id,
  protocol: 'socketio',
  user: { id: user, username: user, email: null },
  since: '2026-01-01T00:00:00.000Z',
});
const online = () =>
  index
    .online()
    .map(({ user, sessions }) => `${user.id}:${sessions.length}`)
    .sort();
let index: ReturnType<typeof presenceIndex>;
beforeEach(() => {
  index = presenceIndex();
});

describe('the index of who is online', () => {
  test('counts the sessions of a user over gateways', () => {
    index.change({ gateway: 'a', sequence: 1, joined: session('1', 'ann') }, 0);
    index.change({ gateway: 'b', sequence: 1, joined: session('1', 'ann') }, 0);
    index.change({ gateway: 'b', sequence: 2, joined: session('2', 'bob') }, 0);
    expect(online()).toEqual(['ann:2', 'bob:1']);
    index.change({ gateway: 'a', sequence: 2, left: '1' }, 0);
    expect(online()).toEqual(['ann:1', 'bob:1']);
    index.change({ gateway: 'b', sequence: 3, left: '1' }, 0);
    expect(online()).toEqual(['bob:1']);
  });

  test('says when a change was missed, and is right again after a snapshot', () => {
    expect(index.change({ gateway: 'a', sequence: 2, joined: session('2', 'bob') }, 0)).toBe(false);
    index.snapshot({ gateway: 'a', sequence: 2, sessions: [session('1', 'ann'), session('2', 'bob')] }, 0);
    expect(online()).toEqual(['ann:1', 'bob:1']);
    expect(index.heartbeat({ gateway: 'a', sequence: 3 }, 0)).toBe(false);
    expect(index.heartbeat({ gateway: 'a', sequence: 2 }, 0)).toBe(true);
  });

  test('takes a change it has seen before once, and no snapshot older than what it knows', () => {
    const change = { gateway: 'a', sequence: 1, joined: session('1', 'ann') };
    index.change(change, 0);
    expect(index.change(change, 0)).toBe(true);
    index.change({ gateway: 'a', sequence: 2, left: '1' }, 0);
    index.snapshot({ gateway: 'a', sequence: 1, sessions: [session('1', 'ann')] }, 0);
    expect(online()).toEqual([]);
  });

  test('takes out the sessions of a gateway that is silent for longer than its lease', () => {
    index.change({ gateway: 'a', sequence: 1, joined: session('1', 'ann') }, 0);
    index.change({ gateway: 'b', sequence: 1, joined: session('1', 'bob') }, 0);
    index.heartbeat({ gateway: 'b', sequence: 1 }, 4_000);
    index.expire(4_500, 4_500);
    expect(online()).toEqual(['ann:1', 'bob:1']);
    index.expire(4_501, 4_500);
    expect(online()).toEqual(['bob:1']);
    expect(index.heartbeat({ gateway: 'a', sequence: 1 }, 5_000)).toBe(false);
  });
});
