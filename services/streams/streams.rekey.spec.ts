import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { silentLog } from '../../shared/runtime/log.ts';
import { vault } from '../../shared/runtime/vault.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { streamsRekeyer } from './streams.rekey.ts';
import {
  type CameraStream,
  deviceContext,
  type Feed,
  feedContext,
  secretContext,
  streamsStore,
} from './streams.store.ts';

const [old, fresh] = ['old', 'fresh'].map((id) => ({ id, key: randomBytes(32) })) as [Key, Key];
interface Key {
  id: string;
  key: Buffer;
}

test('sources, sessions and the secret of the installation go on with the new key alone', async () => {
  const before = vault([old]);
  const stores = openMemory();
  const store = await streamsStore(stores, before);
  const feed = (name: string) => ({ name, sealed: before.seal(`of ${name}`, feedContext('cam', name)) }) as Feed;
  await store.streams.insert({
    id: 'cam',
    path: 'cam',
    sealedDevice: before.seal('a device', deviceContext('cam')),
    sealedSource: before.seal('rtsp://u:p@h/', 'cameras/cam/source'),
    feed: feed('f1'),
    next: feed('f2'),
  } as unknown as CameraStream);
  await store.streams.insert({ id: 'idle', path: 'idle', sealedSource: null, feed: null, next: null } as never);

  const rekey = streamsRekeyer(store, vault([fresh, old]), silentLog);
  expect(await rekey('')).toEqual({ records: 3, resealed: 5, unreadable: 0, next: null });
  expect(await rekey('')).toMatchObject({ resealed: 0 });

  const after = vault([fresh]);
  const stream = await store.streams.get('cam');
  expect(after.open(stream?.sealedSource as string, 'cameras/cam/source')).toBe('rtsp://u:p@h/');
  expect(after.open(stream?.sealedDevice as string, deviceContext('cam'))).toBe('a device');
  expect(stream?.feed).toMatchObject({ name: 'f1' });
  expect(after.open(stream?.feed?.sealed as string, feedContext('cam', 'f1'))).toBe('of f1');
  expect(after.open(stream?.next?.sealed as string, feedContext('cam', 'f2'))).toBe('of f2');
  expect(after.open((await store.settings.get('secret'))?.sealed as string, secretContext)).toBe(store.secret);
  expect((await streamsStore(stores, after)).secret).toBe(store.secret);
});
