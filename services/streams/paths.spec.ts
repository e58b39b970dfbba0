import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { vault } from '../../shared/runtime/vault.ts';
import type { Collections } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { Paths } from './paths.ts';
import { type CameraStream, type StreamsStore, streamsStore } from './streams.store.ts';

let stores: Collections;
let store: StreamsStore;
let paths: Paths;

beforeEach(async () => {
  stores = openMemory();
  store = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
  const servers = ['one', 'two', 'three'].map((id) => ({ id, alive: true }));
  paths = new Paths({ fleet: { servers, on: () => () => {} }, ...store } as never);
});
afterEach(() => stores.close());

const cameras = async (server: string, count: number) => {
  for (let n = 0; n < count; n += 1) await store.streams.insert({ path: `${server}-${n}`, server } as never);
};
const readers = async (server: string, count: number) => {
  for (let n = 0; n < count; n += 1) await store.viewings.insert({ session: `${server}-${n}`, server } as never);
};
const choose = (id: string, server: string | null = null) => paths.choose({ id, server } as CameraStream);

test.each(['a', 'b', 'c', 'd', 'e'])(
  'a camera (%s) goes where the fewest cameras are, then the fewest readers',
  async (id) => {
    await cameras('one', 2);
    await cameras('two', 1);
    await cameras('three', 1);
    await readers('two', 3);
    await readers('three', 1);
    expect(await choose(id)).toBe('three');
    await readers('three', 5);
    expect(await choose(id)).toBe('two');
    expect(await choose(id, 'one')).toBe('one');
  },
);
