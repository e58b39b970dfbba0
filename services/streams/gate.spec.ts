import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Call } from '../../shared/contracts/index.ts';
import { vault } from '../../shared/runtime/vault.ts';
import type { Collections } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { FeedTokens, pictureName } from './feed.tokens.ts';
import { Gate } from './gate.ts';
import { authAddress } from './media/hooks.rules.ts';
import { type CameraStream, type StreamsStore, streamsStore } from './streams.store.ts';
import { ViewerTokens } from './viewer.tokens.ts';
import { Viewings } from './viewings.ts';

let stores: Collections;
let store: StreamsStore;
let feedTokens: FeedTokens;
let viewerTokens: ViewerTokens;
let gate: Gate;
let versions: Record<string, number>;
const keys = new Set<string>();

const feed = (name: string, ready = true) => ({ name, ready }) as CameraStream['feed'];

beforeEach(async () => {
  stores = openMemory();
  store = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
  feedTokens = new FeedTokens(store.secret);
  viewerTokens = new ViewerTokens(store.viewerTokens);
  versions = { ann: 1 };
  const call = (async (name: string, { payload: { ids } }: { payload: { ids: string[] } }) =>
    name === 'api-keys.known'
      ? { ids: ids.filter((id) => keys.has(id)) }
      : {
          users: ids.flatMap((id) => (versions[id] ? [{ id, tokenVersion: versions[id] }] : [])),
        }) as unknown as Call;
  const viewings = new Viewings(store.viewings, 2);
  gate = new Gate({ streams: store.streams, viewings, feedTokens, viewerTokens, call, secret: store.secret });
  const door = {
    id: 'cam',
    path: 'door',
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

  test('never reads a feed', async () => {
    await expect(ask({ password: (await token()).token, path: 'trigate/cam/3-2' })).rejects.toEqual(refused);
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
