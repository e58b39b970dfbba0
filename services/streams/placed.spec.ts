import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { vault } from '../../shared/runtime/vault.ts';
import type { Collections } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { MediaError, type MediaServer } from './media/index.ts';
import { placed, watchedPath } from './placed.ts';
import { type StreamsStore, streamsStore } from './streams.store.ts';

let stores: Collections;
let store: StreamsStore;
let server: { alive: boolean; problem: string | null; protocols: object };
/** What the media server says of each path, and how often it was asked. */
let whose: Record<string, Awaited<ReturnType<MediaServer['whose']>> | MediaError>;
let asked: number;

beforeEach(async () => {
  stores = openMemory();
  store = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
  whose = {};
  asked = 0;
  const answer = async (path: string) => {
    asked += 1;
    const said = whose[path] ?? 'nobody';
    if (said instanceof MediaError) throw said;
    return said;
  };
  server = Object.assign({ alive: true, problem: null, protocols: {} }, { whose: answer });
  await store.streams.insert({ id: 'cam', path: 'door', server: 's', wanted: true } as never);
});
afterEach(() => stores.close());

const place = (path: string) => {
  const fleet = { server: (id: string) => (id === 's' ? (server as unknown as MediaServer) : undefined) };
  return placed({ streams: store.streams, fleet }, 'cam', path);
};
const failure = (type: string, message: string) =>
  expect.objectContaining({ type, message: expect.stringContaining(message) });

describe('the path of a camera', () => {
  const camera = { is_enabled: true, mtx_path: 'door', vanished_at: null };

  test('is what it is watched at', () => {
    expect(watchedPath(camera)).toBe('door');
  });

  test.each([
    [{ is_enabled: false }, 'not enabled'],
    [{ mtx_path: null }, 'not enabled'],
    [{ mtx_path: 'all_others' }, 'all_others'],
    [{ vanished_at: '2026-01-01T00:00:00.000Z' }, 'Google no longer shares'],
  ])('is none where it is %j, and nobody waits for one', (over, message) => {
    expect(() => watchedPath({ ...camera, ...over })).toThrow(failure('CONFLICT', message));
  });
});

test('a camera that was renamed has no place until its record has the new path', async () => {
  whose = { door: 'ours', gate: 'ours' };
  const waited = place('gate');
  const { version } = (await store.streams.get('cam')) ?? { version: 0 };
  await store.streams.update('cam', version, { path: 'gate' });
  expect((await waited).stream.path).toBe('gate');
});

test('a path that is somebody else’s is a conflict at once', async () => {
  whose = { door: 'foreign' };
  await expect(place('door')).rejects.toEqual(failure('CONFLICT', "a path named door that is not Trigate's"));
  expect(asked).toBe(1);
});

test('a path that is not there is waited for, with few questions', async () => {
  whose = { door: new MediaError('unreachable', 'no answer') };
  const begun = performance.now();
  await expect(place('door')).rejects.toEqual(failure('UNAVAILABLE', 'not on a media server yet'));
  expect(performance.now() - begun).toBeGreaterThan(2_500);
  expect(asked).toBeLessThan(10);
});

test('a server that is dead is not waited for', async () => {
  Object.assign(server, { alive: false, problem: 'The media server does not answer' });
  await expect(place('door')).rejects.toEqual(failure('UNAVAILABLE', 'does not answer'));
  expect(asked).toBe(0);
});
