import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Call } from '../../shared/contracts/index.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { vault } from '../../shared/runtime/vault.ts';
import type { Collections } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { FeedTokens, freePictureName, pictureName } from './feed.tokens.ts';
import { FreeNames } from './free.names.ts';
import { Gate } from './gate.ts';
import { authAddress } from './media/hooks.rules.ts';
import { type CameraStream, type StreamsStore, streamsStore } from './streams.store.ts';
import { ViewerTokens } from './viewer.tokens.ts';
import { Viewings } from './viewings.ts';

let stores: Collections;
let store: StreamsStore;
let feedTokens: FeedTokens;
let viewerTokens: ViewerTokens;
let viewings: Viewings;
let gate: Gate;
let versions: Record<string, number>;
/** Cameras that have a path but no stream, by it. */
let wired: Record<string, { id: string; is_enabled: boolean }>;
const keys = new Set<string>();

interface Ask {
  payload: { ids?: string[]; mtx_path?: string };
}

const feed = (name: string, ready = true) => ({ name, ready }) as CameraStream['feed'];

beforeEach(async () => {
  stores = openMemory();
  store = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
  feedTokens = new FeedTokens(store.secret);
  viewerTokens = new ViewerTokens(store.viewerTokens);
  versions = { ann: 1 };
  wired = {};
  const call = (async (name: string, { payload: { ids = [], mtx_path } }: Ask) =>
    name === 'cameras.wiring'
      ? { items: [wired[mtx_path as string]].filter(Boolean), total: 1 }
      : name === 'api-keys.known'
        ? { ids: ids.filter((id) => keys.has(id)) }
        : {
            users: ids.flatMap((id) => (versions[id] ? [{ id, tokenVersion: versions[id] }] : [])),
          }) as unknown as Call;
  const { streams, secret } = store;
  viewings = new Viewings(store.viewings, 6);
  const paths = { freeTarget: () => null };
  const freeNames = new FreeNames({ call, streams, paths, ended: () => {}, log: silentLog });
  gate = new Gate({ streams, viewings, feedTokens, viewerTokens, freeNames, call, secret });
  const door = {
    id: 'cam',
    path: 'door',
    server: 's',
    wanted: true,
    fence: 3,
    kickedAt: null,
    feed: feed('trigate/cam/3-2'),
    next: null,
  };
  await store.streams.insert(door as never);
});
afterEach(() => stores.close());

const query = () => {
  const context = {
    callback: 'http://h',
    installation: 'i',
    server: 's',
    secret: store.secret,
    program: 'wget' as const,
  };
  return new URL(authAddress(context)).search.slice(1);
};
const ask = (attempt: object) => {
  const blank = { ip: '', user: '', password: '', token: '', protocol: 'rtsp', id: 'session', query: '' };
  return gate.assertMay({ query: query(), attempt: { ...blank, path: 'door', action: 'read', ...attempt } });
};
const refused = expect.objectContaining({ type: 'UNAUTHORIZED' });
const token = (viewer = 'ann', camera = 'cam') => viewerTokens.make({ viewer, camera, tokenVersion: 1 });

test('only a media server of ours may ask', async () => {
  const attempt = {
    ip: '',
    user: '',
    password: '',
    token: '',
    protocol: '',
    id: null,
    query: '',
    path: '',
    action: 'read',
  };
  for (const wrong of ['', 'server=s&signature=', query().replace('server=s', 'server=t')]) {
    await expect(gate.assertMay({ query: wrong, attempt })).rejects.toEqual(
      expect.objectContaining({ type: 'FORBIDDEN' }),
    );
  }
});

describe('a viewer', () => {
  test('gets in with a token of that camera, wherever the protocol has it', async () => {
    await expect(ask({ password: (await token()).token })).resolves.toBeUndefined();
    await expect(ask({ query: `token=${(await token()).token}`, id: 'other' })).resolves.toBeUndefined();
  });

  test.each([
    ['without a token', async () => ''],
    ['with one of another camera', async () => (await token('ann', 'other')).token],
    ['with an invented one', async () => 'x'.repeat(32)],
    ['with one of a feed', async () => feedTokens.publisher('trigate/cam/3-2')],
  ])('%s does not', async (_what, make) => {
    await expect(ask({ password: await make() })).rejects.toEqual(refused);
  });

  test('who was revoked, or sent away, does not', async () => {
    const { token: old } = await token();
    versions = { ann: 2 };
    await expect(ask({ password: old })).rejects.toEqual(refused);
    versions = {};
    await expect(ask({ password: old })).rejects.toEqual(refused);
    versions = { ann: 1 };
    const stream = (await store.streams.get('cam')) as CameraStream;
    await store.streams.update('cam', stream.version, { kickedAt: new Date().toISOString() });
    await expect(ask({ password: old })).rejects.toEqual(refused);
  });

  test('with a key gets in as long as there is that key', async () => {
    const { token: password } = await token('key:k1');
    keys.add('k1');
    await expect(ask({ password })).resolves.toBeUndefined();
    keys.delete('k1');
    await expect(ask({ password })).rejects.toEqual(refused);
  });

  test('does not get in at another server than the camera is on', async () => {
    const stream = (await store.streams.get('cam')) as CameraStream;
    await store.streams.update('cam', stream.version, { server: 'other' });
    await expect(ask({ password: (await token()).token })).rejects.toEqual(refused);
  });

  test.each(['rtsp', 'rtmp', 'hls', 'webrtc', 'srt'])('gets in over %s', async (protocol) => {
    await expect(ask({ password: (await token()).token, protocol })).resolves.toBeUndefined();
  });

  test.each(['moq', '', 'next'])('does not over %j, whose readers could not be sent away', async (protocol) => {
    const forbidden = expect.objectContaining({ type: 'FORBIDDEN' });
    await expect(ask({ password: (await token()).token, protocol })).rejects.toEqual(forbidden);
    expect(await viewings.ofViewer('ann')).toEqual([]);
  });

  test('never reads a feed', async () => {
    await expect(ask({ password: (await token()).token, path: 'trigate/cam/3-2' })).rejects.toEqual(refused);
  });
});

describe('at a name without a camera', () => {
  test('any good token opens the picture that says so, and nothing else does', async () => {
    const { token: password } = await token();
    await expect(ask({ password, path: 'gone' })).resolves.toBeUndefined();
    for (const wrong of ['', 'x'.repeat(32), feedTokens.publisher('trigate/cam/3-2')]) {
      await expect(ask({ password: wrong, path: 'gone' })).rejects.toEqual(refused);
    }
    for (const path of ['trigate/gone', 'all_others', '../door']) {
      await expect(ask({ password, path })).rejects.toEqual(refused);
    }
    versions = { ann: 2 };
    await expect(ask({ password, path: 'gone' })).rejects.toEqual(refused);
  });

  test('which is that of a disabled camera, only a token of that camera does, and none once it is enabled', async () => {
    wired = { yard: { id: 'yard', is_enabled: false } };
    const { token: own } = await token('ann', 'yard');
    await expect(ask({ password: own, path: 'yard' })).resolves.toBeUndefined();
    await expect(ask({ password: (await token()).token, path: 'yard' })).rejects.toEqual(refused);
    wired = { yard: { id: 'yard', is_enabled: true } };
    await expect(ask({ password: own, path: 'yard' })).rejects.toEqual(refused);
  });

  test('a token of a camera that is being taken away opens its path only when that is free', async () => {
    const { token: password } = await token();
    const stream = (await store.streams.get('cam')) as CameraStream;
    const unwanted = await store.streams.update('cam', stream.version, { wanted: false });
    await expect(ask({ password })).rejects.toEqual(refused);
    await store.streams.delete('cam', (unwanted as CameraStream).version);
    await expect(ask({ password })).resolves.toBeUndefined();
  });

  test('a user sees four pictures at a time, and they take slots as cameras do', async () => {
    const { token: password } = await token();
    const open = async (path: string) => {
      await ask({ password, path, id: path });
      await viewings.began(path, 'rtspSession');
    };
    const tooMany = expect.objectContaining({ type: 'LIMIT_EXCEEDED' });
    for (const path of ['a', 'b', 'c', 'd']) await open(path);
    await expect(open('e')).rejects.toEqual(tooMany);
    await expect(ask({ password, path: 'a', id: 'a2' })).resolves.toBeUndefined();
    await expect(ask({ password })).resolves.toBeUndefined();
    await viewings.ended('d');
    await expect(open('e')).resolves.toBeUndefined();
  });

  test('only a picture for that server and name is published, and none where a camera is', async () => {
    const publish = (name: string, path: string) =>
      ask({ action: 'publish', password: feedTokens.publisher(name), path });
    await expect(publish(freePictureName('s', 'gone'), 'gone')).resolves.toBeUndefined();
    await expect(publish(freePictureName('s', 'gone'), 'other')).rejects.toEqual(refused);
    await expect(publish(freePictureName('t', 'gone'), 'gone')).rejects.toEqual(refused);
    await expect(publish(freePictureName('s', 'door'), 'door')).rejects.toEqual(refused);
  });
});

describe('a publisher', () => {
  const publish = (password: string, path = 'door') => ask({ action: 'publish', user: 'feed', password, path });

  test('is the feed of now, and its successor', async () => {
    await expect(publish(feedTokens.publisher('trigate/cam/3-2'))).resolves.toBeUndefined();
    const stream = (await store.streams.get('cam')) as CameraStream;
    await store.streams.update('cam', stream.version, { next: feed('trigate/cam/3-3', false) });
    await expect(publish(feedTokens.publisher('trigate/cam/3-3'))).resolves.toBeUndefined();
  });

  test('of an owner that was fenced out is refused, as is one on another path or with a viewer token', async () => {
    await expect(publish(feedTokens.publisher('trigate/cam/2-1'))).rejects.toEqual(refused);
    await expect(publish(feedTokens.publisher('trigate/cam/3-2'), 'garden')).rejects.toEqual(refused);
    await expect(publish((await token()).token)).rejects.toEqual(refused);
  });

  test('is the picture of the present owner, while no feed delivers', async () => {
    await expect(publish(feedTokens.publisher(pictureName('cam', 3)))).rejects.toEqual(refused);
    const stream = (await store.streams.get('cam')) as CameraStream;
    await store.streams.update('cam', stream.version, { feed: null });
    await expect(publish(feedTokens.publisher(pictureName('cam', 3)))).resolves.toBeUndefined();
    await expect(publish(feedTokens.publisher(pictureName('cam', 2)))).rejects.toEqual(refused);
  });
});
