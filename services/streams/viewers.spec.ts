import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { type Call, Failure } from '../../shared/contracts/index.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { vault } from '../../shared/runtime/vault.ts';
import type { Collections } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { type Fleet, MediaError, type MediaServer, type Session } from './media/index.ts';
import { type CameraStream, type StreamsStore, streamsStore } from './streams.store.ts';
import type { ViewerToken } from './viewer.tokens.ts';
import { Viewers } from './viewers.ts';
import { Viewings } from './viewings.ts';

let stores: Collections;
let store: StreamsStore;
let viewings: Viewings;
let viewers: Viewers;
let call: Call;
let log: Log;
let versions: Record<string, number>;
const keys = new Set<string>();
/** What the media server lists, and what it was told to end. */
let sessions: Session[];
let kicked: string[];
let answers: boolean;
/** Kicks that fail before one succeeds. */
let failing: number;
/** Commands nobody answers. */
let down: string[];
let warnings: unknown[];

const server = {
  id: 's',
  alive: true,
  api: {
    async sessions(kind: string) {
      if (!answers) throw new MediaError('unreachable', 'no answer');
      return sessions.filter((one) => one.kind === kind);
    },
    async kick(_kind: string, id: string) {
      failing -= 1;
      if (failing >= 0) throw new MediaError('unreachable', 'no answer');
      kicked.push(id);
      return true;
    },
  },
} as unknown as MediaServer;

beforeEach(async () => {
  stores = openMemory();
  store = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
  viewings = new Viewings(store.viewings, 0);
  versions = { ann: 1, bob: 1 };
  [sessions, kicked, answers, failing, down, warnings] = [[], [], true, 0, [], []];
  keys.clear();
  call = (async (name: string, { payload: { ids } }: { payload: { ids: string[] } }) => {
    if (down.includes(name)) throw new Failure('UNAVAILABLE');
    if (name === 'api-keys.known') return { ids: ids.filter((id) => keys.has(id)) };
    return { users: ids.flatMap((id) => (versions[id] ? [{ id, tokenVersion: versions[id] }] : [])) };
  }) as unknown as Call;
  log = { warn: (fields: unknown) => warnings.push(fields) } as unknown as Log;
  const fleet = { server: (id: string) => (id === 's' ? server : undefined) } as Fleet;
  viewers = new Viewers({ fleet, streams: store.streams, viewings, call, log });
  await store.streams.insert({ id: 'cam', path: 'door', server: 's' } as never);
});
afterEach(() => stores.close());

const lists = (id: string, more: Partial<Session> = {}) => {
  sessions.push({ id, kind: 'rtspsessions', path: 'door', state: 'read', ...more } as Session);
};
const lets = (viewer: string, session: string, tokenVersion: number | null = 1) =>
  viewings.reserve({ id: session, viewer, tokenVersion, camera: 'cam' } as ViewerToken, { server: 's', session });
const right = { viewer: 'ann', tokenVersion: 1, camera: 'cam' };
const held = async () => (await viewings.ofServer('s')).map(({ session }) => session).sort();

test('who loses the right to watch is sent away from every session, and nobody else', async () => {
  await lets('ann', 'a1');
  await viewings.began('a1', 'rtspSession');
  await lets('ann', 'a2');
  lists('a2');
  await lets('bob', 'b1');
  await viewings.began('b1', 'rtspSession');
  await viewers.sendAway('ann');
  expect(kicked.sort()).toEqual(['a1', 'a2']);
});

test('a session of a kind that cannot be ended keeps its slot when its viewer is sent away', async () => {
  await lets('ann', 'a1');
  await viewings.began('a1', 'moqSession');
  await viewers.sendAway('ann');
  expect([kicked, await held()]).toEqual([[], ['a1']]);
});

test('who was let in just before is found when the reading begins, or at the next look', async () => {
  await lets('ann', 'a1');
  versions = { ann: 2, bob: 1 };
  lists('a1');
  await viewers.began('a1', 'rtspSession');
  expect(kicked).toEqual(['a1']);
  await viewers.tidy(server);
  expect(kicked).toEqual(['a1', 'a1']);
});

test('who watches with a key is sent away when there is no such key any more', async () => {
  keys.add('k1');
  for (const key of ['k1', 'k2']) {
    await lets(`key:${key}`, key);
    await viewings.began(key, 'rtspSession');
    lists(key);
  }
  await lets('ann', 'a1');
  await viewers.tidy(server);
  expect(kicked).toEqual(['k2']);
  keys.delete('k1');
  await viewers.began('k1', 'rtspSession');
  expect(kicked).toEqual(['k2', 'k1']);
});

test('where nobody says which keys there are, users are judged all the same, and keys are left alone', async () => {
  for (const viewer of ['ann', 'bob', 'key:k1']) {
    await lets(viewer, viewer);
    await viewings.began(viewer, 'rtspSession');
  }
  versions = { ann: 2, bob: 1 };
  lists('ann');
  lists('key:k1');
  down = ['api-keys.known'];
  await viewers.tidy(server);
  expect(kicked).toEqual(['ann']);
  // Bob's reader is gone.
  expect(await held()).toEqual(['key:k1']);
  expect(warnings).toHaveLength(1);
  down = ['users.versions'];
  sessions = sessions.filter(({ id }) => id !== 'ann');
  await viewers.tidy(server);
  expect(kicked).toEqual(['ann', 'key:k1']);
});

test('what fails of sending somebody away is tried again, and said where it fails again', async () => {
  for (const viewer of ['ann', 'bob']) {
    await lets(viewer, viewer);
    await viewings.began(viewer, 'rtspSession');
  }
  failing = 1;
  await viewers.sendAway('ann');
  expect([kicked, warnings]).toEqual([['ann'], []]);
  failing = 2;
  await viewers.sendAway('bob');
  expect(kicked).toEqual(['ann']);
  expect(warnings).toEqual([expect.objectContaining({ viewer: 'bob' })]);
});

test('a reader that was let in beside another with its token is sent away where there is no slot for it', async () => {
  const one = new Viewings(store.viewings, 1);
  const fleet = { server: () => server } as unknown as Fleet;
  const limited = new Viewers({ fleet, streams: store.streams, viewings: one, call, log });
  for (const session of ['a', 'b']) await one.reserve({ ...right, id: 't' } as ViewerToken, { server: 's', session });
  await limited.began('a', 'rtspSession');
  expect(kicked).toEqual([]);
  await limited.began('b', 'rtspSession');
  expect(kicked).toEqual(['b']);
});

test('of two readers with one token both are known, whether their reports came or not', async () => {
  for (const session of ['a', 'b'])
    await viewings.reserve({ ...right, id: 't' } as ViewerToken, { server: 's', session });
  lists('a');
  lists('b');
  await viewers.tidy(server);
  expect(kicked).toEqual([]);
  expect(await held()).toEqual(['a', 'b']);
  await viewers.sendAway('ann');
  expect(kicked.sort()).toEqual(['a', 'b']);
});

test('one of two logins being revoked leaves the other alone', async () => {
  versions = { ann: 2 };
  for (const [session, version] of [
    ['old', 1],
    ['new', 2],
  ] as const) {
    await lets('ann', session, version);
    await viewings.began(session, 'rtspSession');
    lists(session);
  }
  await viewers.tidy(server);
  expect(kicked).toEqual(['old']);
});

test('a slot is freed when its reader is gone, and kept when only its report was lost', async () => {
  await lets('ann', 'gone');
  await viewings.began('gone', 'rtspSession');
  await lets('bob', 'unreported');
  lists('unreported');
  await viewers.tidy(server);
  expect(await held()).toEqual(['unreported']);
  expect((await viewings.ofViewer('bob'))[0]?.type).toBe('rtspSession');
});

test('who reads a camera without a slot is sent away; publishers, and readers of other paths, are not', async () => {
  lists('uncounted');
  lists('feed', { state: 'publish' });
  lists('beginning', { state: 'idle' });
  lists('elsewhere', { path: 'not-ours' });
  lists('hls', { kind: 'hlssessions', state: undefined });
  await viewers.tidy(server);
  expect(kicked.sort()).toEqual(['hls', 'uncounted']);
});

test.each([
  ['is dead', { alive: false }],
  ['is not of this fleet', undefined],
])('slots of a media server that %s are free again when no reader can be left', async (_what, gone) => {
  let there: object | undefined = gone;
  const fleet = { server: (id: string) => (id === 's' ? there : { alive: true }) } as Fleet;
  const some = new Viewers({ fleet, streams: store.streams, viewings, call, log });
  await lets('ann', 'a1');
  await viewings.began('a1', 'rtspSession');
  const began = Date.now();
  const now = jest.spyOn(Date, 'now');
  const heldAfter = async (seconds: number) => {
    now.mockReturnValue(began + seconds * 1_000);
    await some.tidyGone();
    return held();
  };
  try {
    expect([await heldAfter(0), await heldAfter(119)]).toEqual([['a1'], ['a1']]);
    there = { alive: true };
    expect(await heldAfter(121)).toEqual(['a1']);
    there = gone;
    expect([await heldAfter(130), await heldAfter(249)]).toEqual([['a1'], ['a1']]);
    expect(await heldAfter(251)).toEqual([]);
  } finally {
    now.mockRestore();
  }
});

test('a camera is emptied of its readers; where the server does not answer, it is said', async () => {
  lists('r1');
  lists('r2', { path: 'garden' });
  lists('feed', { state: 'publish' });
  const camera = { server: 's', path: 'door' } as CameraStream;
  await viewers.empty(camera);
  expect(kicked).toEqual(['r1']);
  answers = false;
  await expect(viewers.empty(camera)).rejects.toEqual(expect.objectContaining({ type: 'UNAVAILABLE' }));
});
