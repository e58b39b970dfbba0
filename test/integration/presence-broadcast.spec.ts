import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import type { Person } from '../conformance/stage.ts';
import { eventually } from '../system/clients/wait.ts';
import type { System } from '../system/system.ts';
import { Cast, collect, type Heard, isoDate, named } from './seeds/cast.ts';
import { systems } from './seeds/systems.ts';

/** Where not everybody is told who comes and goes: by real clients, each at another gateway where there are several. */
let system: System;
let cast: Cast;

const tick = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const told = (one: Person) => ({ user: named(one), timestamp: expect.stringMatching(isoDate) });
/** After the last socket: the grace of two seconds, and what telling takes. */
const goneMs = 3_500;

/** What a socket hears of people who come and go, under each of the names. */
function hearing(socket: Socket) {
  const heard: [event: string, data: Heard][] = [];
  for (const event of ['user_online', 'user_offline', 'presence:online', 'presence:offline'])
    socket.on(event, (data: Heard) => heard.push([event, data]));
  const until = (count: number) =>
    eventually(
      async () => heard,
      (all) => all.length >= count,
      10_000,
    );
  return { heard, until };
}

async function isOnline(one: Person, online: boolean): Promise<void> {
  const ask = () => cast.stage.ok({ module: 'presence', command: 'read', entity: one.id });
  await eventually(ask as () => Promise<{ online: boolean }>, (answer) => answer.online === online, 10_000);
}

describe.each(systems)('over %s', (_name, start) => {
  const startWith = async (broadcast: string) => {
    system = await start({ PRESENCE_BROADCAST: broadcast });
    cast = await Cast.of(system);
  };
  afterEach(() => cast?.closeSockets());

  describe('with PRESENCE_BROADCAST=rooms', () => {
    beforeAll(() => startWith('rooms'), 90_000);
    afterAll(() => system?.stop(), 30_000);

    test('those who share a room hear once who comes and goes, and nobody else', async () => {
      const [ann, bob, eve] = await Promise.all([1, 2, 3].map(() => cast.stage.person()));
      if (!ann || !bob || !eve) throw new Error('nobody is there');
      const room = cast.room();
      const [inRoom, outside] = [await cast.connect(bob), await cast.connect(eve)];
      const [near, far] = [hearing(inRoom), hearing(outside)];
      await inRoom.emitWithAck('join_room', { room });
      await near.until(1);
      expect(near.heard).toEqual([['user_online', told(bob)]]);
      const first = await cast.connect(ann);
      await isOnline(ann, true);
      await first.emitWithAck('join_room', { room });
      await near.until(2);
      expect(near.heard[1]).toEqual(['user_online', told(ann)]);
      // Another socket of the same user, at another gateway: nothing new, nor when the first goes.
      const second = await cast.connect(ann);
      await second.emitWithAck('join_room', { room });
      first.disconnect();
      await tick(goneMs);
      expect(near.heard).toHaveLength(2);
      second.disconnect();
      await near.until(3);
      expect(near.heard[2]).toEqual(['user_offline', told(ann)]);
      await tick(goneMs);
      expect([near.heard.length, far.heard]).toEqual([3, []]);
    }, 60_000);
  });

  describe('with PRESENCE_BROADCAST=off', () => {
    beforeAll(() => startWith('off'), 90_000);
    afterAll(() => system?.stop(), 30_000);

    test('nobody is told, and who asks is answered', async () => {
      const [ann, bob] = await Promise.all([1, 2].map(() => cast.stage.person()));
      if (!ann || !bob) throw new Error('nobody is there');
      const room = cast.room();
      const watcher = await cast.connect(bob);
      const { heard } = hearing(watcher);
      const joined = collect(watcher, 'user_joined');
      await watcher.emitWithAck('join_room', { room });
      const socket = await cast.connect(ann);
      await socket.emitWithAck('join_room', { room });
      await isOnline(ann, true);
      socket.disconnect();
      await isOnline(ann, false);
      await tick(goneMs);
      expect(heard).toEqual([]);
      // It does hear what is told at all.
      expect(joined.map(({ user }) => user.id)).toContain(ann.id);
    }, 60_000);
  });
});
