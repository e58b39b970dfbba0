import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Call } from '../../shared/contracts/index.ts';
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
let versions: Record<string, number>;
const keys = new Set<string>();
/** What the media server lists, and what it was told to end. */
let sessions: Session[];
let kicked: string[];
let answers: boolean;

const server = {
  id: 's',
  alive: true,
  api: {
    async sessions(kind: string) {
      if (!answers) throw new MediaError('unreachable', 'no answer');
      return sessions.filter((one) => one.kind === kind);
    },
    kick: async (_kind: string, id: string) => kicked.push(id) > 0,
  },
} as unknown as MediaServer;

beforeEach(async () => {
  stores = openMemory();
  store = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
  viewings = new Viewings(store.viewings, 0);
  versions = { ann: 1, bob: 1 };
  [sessions, kicked, answers] = [[], [], true];
  const call = (async (name: string, { payload: { ids } }: { payload: { ids: string[] } }) =>
    name === 'api-keys.known'
      ? { ids: ids.filter((id) => keys.has(id)) }
      : {
          users: ids.flatMap((id) => (versions[id] ? [{ id, tokenVersion: versions[id] }] : [])),
        }) as unknown as Call;
  const fleet = { server: (id: string) => (id === 's' ? server : undefined) } as Fleet;
  viewers = new Viewers({ fleet, streams: store.streams, viewings, call });
  await store.streams.insert({ id: 'cam', path: 'door', server: 's' } as never);
});
afterEach(() => stores.close());

const lists = (id: string, more: Partial<Session> = {}) => {
  sessions.push({ id, kind: 'rtspsessions', path: 'door', state: 'read', ...more } as Session);
};
const lets = (viewer: string, session: string, tokenVersion: number | null = 1) =>
  viewings.reserve({ id: session, viewer, tokenVersion, camera: 'cam' } as ViewerToken, { server: 's', session });
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

test('who was let in just before is found when the reading begins, or at the next look', async () => {
  await lets('ann', 'a1');
  versions = { ann: 2, bob: 1 };
  lists('a1');
  await viewers.began('a1');
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
  await viewers.began('k1');
  expect(kicked).toEqual(['k2', 'k1']);
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
