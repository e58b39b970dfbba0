import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { vault } from '../../shared/runtime/vault.ts';
import type { Collections } from '../../shared/store/collection.ts';
import { openFiles } from '../../shared/store/file.collections.ts';
import { eventually } from '../../test/system/clients/wait.ts';
import { type Members, storedMembers } from './members.ts';
import { Ownership } from './ownership.ts';
import { type CameraStream, type StreamsStore, streamsStore } from './streams.store.ts';

const until = (holds: () => boolean) => eventually(async () => holds(), Boolean, 8_000);
const log = pino({ level: 'silent' });
let directory: string;
let stores: Collections;
let store: StreamsStore;
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trigate-owners-'));
  stores = await openFiles(directory);
  store = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await stores.close();
  await rm(directory, { recursive: true });
});

const blank = {
  sealedSource: null,
  credentialId: null,
  owner: null,
  server: null,
  demandedAt: null,
  publisher: null,
};
const idle = { problem: null, retryAt: null, feed: null, next: null, kickedAt: null, failures: 0, feeds: 0, fence: 0 };

async function cameras(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, n) => `camera-${n}`);
  for (const id of ids) {
    const camera = { id, name: id, path: id, sealedDevice: id, protocols: [], persistent: false, wanted: true };
    await store.streams.insert({ ...blank, ...idle, ...camera, demanded: false, state: 'idle' });
  }
  return ids;
}

const running = new Set<Ownership>();
const freed = (camera: string) => {
  for (const one of running) void one.look(camera);
};

async function process(streams = store.streams) {
  const members = await storedMembers(stores, log);
  const woken: string[] = [];
  const ownership = new Ownership({ streams, members, log, wake: (id) => woken.push(id), freed });
  ownership.start();
  running.add(ownership);
  const stop = async () => {
    running.delete(ownership);
    await ownership.stop();
    await members.stop();
  };
  stops.push(stop);
  const owned = () => [...ownership.cameras].sort();
  return { members, ownership, owned, woken, stop };
}

const owners = async () => new Set((await store.streams.find({}, { limit: 100 })).map(({ owner }) => owner));

test('each camera belongs to one process, and a process that comes or goes moves only a share', async () => {
  const ids = await cameras(30);
  const one = await process();
  await until(() => one.owned().length === 30);
  const two = await process();
  await until(() => one.owned().length + two.owned().length === 30 && two.owned().length > 5);
  expect([...one.owned(), ...two.owned()].sort()).toEqual([...ids].sort());
  await two.stop();
  stops.pop();
  await until(() => one.owned().length === 30);
  expect(await owners()).toEqual(new Set([one.members.id]));
}, 30_000);

test('the cameras of a process that dies are taken over under a higher number within 5 s, and its writes are refused', async () => {
  await cameras(10);
  // A process that was killed: its record is there, and it renews it no more.
  const dead = await stores.collection<CameraStream>({ name: 'stream-members', sortable: [] });
  const { id: killed } = await dead.insert({ beat: 0 } as never);
  for (const { id, version } of await store.streams.find({}, { limit: 100 })) {
    await store.streams.update(id, version, { owner: killed, fence: 7 });
  }
  const before = (await store.streams.get('camera-3')) as CameraStream;
  const startedAt = performance.now();
  const heir = await process();
  await until(() => heir.owned().length === 10);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  for (const { fence } of await store.streams.find({}, { limit: 100 })) expect(fence).toBe(8);
  expect(await store.streams.update(before.id, before.version, { problem: 'a late write' })).toBeNull();
  expect(heir.ownership.holds(before)).toBe(false);
}, 30_000);

test('a process that was taken for dead lets its cameras go and comes back under another name', async () => {
  await cameras(3);
  const one = await process();
  await until(() => one.owned().length === 3);
  const before: Members['id'] = one.members.id;
  const members = await stores.collection<CameraStream>({ name: 'stream-members', sortable: [] });
  await members.delete(before);
  await until(() => one.members.id !== before && one.owned().length === 3);
  expect(await owners()).toEqual(new Set([one.members.id]));
  for (const { fence } of await store.streams.find({}, { limit: 100 })) expect(fence).toBe(2);
}, 30_000);

type Update = typeof store.streams.update;

/** The collection with another way to write. */
const withUpdate = (update: Update): typeof store.streams =>
  new Proxy(store.streams, {
    get(of, key) {
      const member = key === 'update' ? update : Reflect.get(of, key);
      return typeof member === 'function' ? member.bind(of) : member;
    },
  });

test('a sweep takes 32 cameras at a time, and takes no more once it is stopped', async () => {
  await cameras(80);
  const held: (() => void)[] = [];
  let isOpen = false;
  const update: Update = async (...args) => {
    if (!isOpen) await new Promise<void>((resolve) => held.push(resolve));
    return store.streams.update(...args);
  };
  const one = await process(withUpdate(update));
  await until(() => held.length >= 32);
  const stopping = one.stop();
  stops.pop();
  isOpen = true;
  for (const letGo of held) letGo();
  await stopping;
  const records = await store.streams.find({}, { limit: 100 });
  expect(records.map(({ owner }) => owner)).toEqual(Array(80).fill(null));
  expect(records.filter(({ fence }) => fence === 1)).toHaveLength(32);
}, 30_000);

test('a sweep that fails at one camera ends when the others it had begun have ended, and the next takes the rest', async () => {
  const ids = await cameras(80);
  let hasFailed = false;
  const update: Update = async (id, ...rest) => {
    if (id !== ids[0] || hasFailed) return store.streams.update(id, ...rest);
    hasFailed = true;
    throw new Error('no store');
  };
  const one = await process(withUpdate(update));
  await until(() => hasFailed && one.owned().length >= 31);
  one.ownership.sweep();
  await until(() => one.owned().length === 80);
}, 30_000);
