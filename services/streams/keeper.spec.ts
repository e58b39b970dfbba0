import { describe, expect, jest, test } from '@jest/globals';
import { silentLog } from '../../shared/runtime/log.ts';
import { vault } from '../../shared/runtime/vault.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { decide, startBoundMs } from './camera.rules.ts';
import { Keeper } from './keeper.ts';
import { takenProblem } from './media/index.ts';
import { Paths } from './paths.ts';
import { type CameraStream, streamsStore } from './streams.store.ts';

const viewers = { tidy: async () => {}, tidyGone: async () => {} };
const nobody = { feed: null, next: null, publisher: null };

test('a look that is asked for while one runs comes after it, once', async () => {
  let looks = 0;
  const running: (() => void)[] = [];
  const keeper = new Keeper({
    fleet: { servers: [] },
    members: { id: 'm', live: () => ['m'] },
    viewers,
    viewerTokens: {
      forgetExpired() {
        looks += 1;
        return new Promise<void>((resolve) => running.push(resolve));
      },
    },
    log: silentLog,
  } as never);
  keeper.look();
  keeper.look();
  keeper.look();
  expect(looks).toBe(1);
  running.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect(looks).toBe(2);
  const stopped = keeper.stop();
  running.shift()?.();
  await stopped;
  expect(looks).toBe(2);
});

describe('what hooks did not tell', () => {
  const feed = { name: 'trigate/cam/1-1', kind: 'rtsp', ready: true, lostAt: null };
  const record = {
    ...{ id: 'cam', path: 'door', server: 's', wanted: true, persistent: true, demanded: false, demandedAt: null },
    ...{ state: 'ready', problem: null, publisher: 'p', feed, next: null },
  };
  const live = (name: string, source: string | null) => ({
    ...{ name, available: source !== null, readers: [] },
    source: source && { type: 'rtspSession', id: source },
  });

  /** The record after a look at paths, of which each is listed with the id of its source; `during` the list it changes. */
  async function looked(stream: object, paths: Record<string, string | null>, during: object = {}) {
    const stores = openMemory();
    const { streams } = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
    await streams.insert(stream as never);
    const list = async () => {
      if (Object.keys(during).length > 0) await streams.update('cam', 1, during);
      return Object.entries(paths).map(([name, source]) => live(name, source));
    };
    const woken: string[] = [];
    const keeper = new Keeper({
      fleet: { servers: [{ id: 's', alive: true, taken: new Set(), api: { paths: list } }] },
      members: { id: 'm', live: () => ['m'] },
      streams,
      viewers,
      viewerTokens: { forgetExpired: async () => {} },
      wake: (camera: string) => woken.push(camera),
      log: silentLog,
    } as never);
    keeper.look();
    await keeper.stop();
    const after = (await streams.get('cam')) as CameraStream;
    await stores.close();
    return { ...after, woken };
  }

  test('a camera that stays away after its media server came back is no longer ready, and its owner looks', async () => {
    const after = await looked(record, { door: null, [feed.name]: null });
    expect(after).toMatchObject({ state: 'starting', publisher: null, woken: ['cam'] });
    expect(after.feed).toMatchObject({ ready: false, lostAt: expect.any(String) });
    expect(decide(after, { now: Date.now() + startBoundMs, serverLives: true })).toEqual({ do: 'doubt' });
  });

  test('a picture that stands for the camera is not who published before', async () => {
    const after = await looked(record, { door: 'picture', [feed.name]: null });
    expect(after).toMatchObject({ state: 'starting', publisher: null });
  });

  test('one that failed says why all the same', async () => {
    const failed = { ...record, state: 'failed', problem: 'why' };
    expect(await looked(failed, { door: null })).toMatchObject({ state: 'failed', problem: 'why', publisher: null });
  });

  test('one without a feed is idle', async () => {
    expect(await looked({ ...record, feed: null }, {})).toMatchObject({ state: 'idle', publisher: null });
  });

  test('one that delivers is ready, whoever published before', async () => {
    const paths = { door: 'q', [feed.name]: 'camera' };
    expect(await looked({ ...record, state: 'starting' }, paths)).toMatchObject({ state: 'ready', publisher: null });
    const told = { ...record, publisher: 'q' };
    expect(await looked(told, paths)).toMatchObject({ state: 'ready', publisher: 'q', woken: [] });
  });

  test('what they tell during the look counts', async () => {
    const during = { publisher: 'q' };
    expect(await looked(record, { door: null }, during)).toMatchObject({ state: 'ready', publisher: 'q', woken: [] });
  });
});

test('of several processes one looks for slots at media servers that are gone', async () => {
  const looked: string[] = [];
  for (const id of ['m', 'n', 'o']) {
    const keeper = new Keeper({
      fleet: { servers: [] },
      members: { id, live: () => ['m', 'n', 'o'] },
      viewers: { tidyGone: async () => looked.push(id) },
      viewerTokens: { forgetExpired: async () => {} },
      log: silentLog,
    } as never);
    keeper.look();
    await keeper.stop();
  }
  expect(looked).toHaveLength(1);
});

test.each([
  ['that is noted', 'foreign', 'idle', 'failed'],
  ['that is over', 'ours', 'failed', 'idle'],
] as const)(
  'a path may come to be somebody else’s, or free: %s, and the owner looks',
  async (_what, whose, before, after) => {
    const stores = openMemory();
    const { streams } = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
    const problemOf = (state: string) => (state === 'failed' ? takenProblem('door') : null);
    const record = { id: 'cam', path: 'door', server: 's', demanded: false, wanted: true, ...nobody };
    await streams.insert({ ...record, state: before, problem: problemOf(before) } as never);
    const api = { paths: async () => [] };
    const server = { id: 's', alive: true, taken: new Set(['door']), api, whose: async () => whose };
    const fleet = { servers: [server], on: () => () => {} };
    const paths = new Paths({ fleet, streams } as never);
    const woken: string[] = [];
    const keeper = new Keeper({
      fleet,
      members: { id: 'm', live: () => ['m'] },
      streams,
      viewers,
      viewerTokens: { forgetExpired: async () => {} },
      noteTaken: paths.noteTaken.bind(paths),
      wake: (camera: string) => woken.push(camera),
      log: silentLog,
    } as never);
    keeper.look();
    await keeper.stop();
    expect(await streams.get('cam')).toMatchObject({ state: after, problem: problemOf(after) });
    expect(woken).toEqual(['cam']);
    await stores.close();
  },
);

test.each([
  ['gives pictures is believed for 90 s, as what is kept for HLS needs it', true, 89, 91],
  ['gives none is believed for 45 s', false, 44, 46],
])('a demand without a reader at a path that %s', async (_which, available, kept, dropped) => {
  const stores = openMemory();
  const { streams } = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
  const began = Date.now();
  const demandedAt = new Date(began).toISOString();
  const idle = { ...nobody, problem: null, state: 'idle', wanted: true };
  await streams.insert({ id: 'cam', path: 'door', server: 's', demanded: true, demandedAt, ...idle } as never);
  const paths = async () => [{ name: 'door', available, readers: [] }];
  const server = { id: 's', alive: true, taken: new Set(), api: { paths } };
  const keeper = new Keeper({
    fleet: { servers: [server] },
    members: { id: 'm', live: () => ['m'] },
    streams,
    viewers,
    viewerTokens: { forgetExpired: async () => {} },
    wake: () => {},
    log: silentLog,
  } as never);
  const now = jest.spyOn(Date, 'now');
  try {
    for (const [seconds, demanded] of [
      [0, true],
      [kept, true],
      [dropped, false],
    ] as const) {
      now.mockReturnValue(began + seconds * 1_000);
      keeper.look();
      await keeper.stop();
      expect(await streams.get('cam')).toMatchObject({ demanded });
    }
  } finally {
    now.mockRestore();
    await stores.close();
  }
});
