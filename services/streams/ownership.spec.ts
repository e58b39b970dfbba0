import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { vault } from '../../shared/runtime/vault.ts';
import { change } from '../../shared/store/change.ts';
import type { Collections } from '../../shared/store/collection.ts';
import { openFiles } from '../../shared/store/file.collections.ts';
import { eventually } from '../../test/system/clients/wait.ts';
import { type Members, soleMember, storedMembers } from './members.ts';
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

test('the cameras of a process that dies are taken over under a higher number within 5 s', async () => {
  await cameras(10);
  // A process that was killed: its record is there, and it renews it no more.
  const dead = await stores.collection<CameraStream>({ name: 'stream-members', sortable: [] });
  const { id: killed } = await dead.insert({ beat: 0 } as never);
  for (const { id, version } of await store.streams.find({}, { limit: 100 })) {
    await store.streams.update(id, version, { owner: killed, fence: 7 });
  }
  const startedAt = performance.now();
  const heir = await process();
  await until(() => heir.owned().length === 10);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  for (const { fence } of await store.streams.find({}, { limit: 100 })) expect(fence).toBe(8);
}, 30_000);

/** A process that hears of no other one, and so believes that what it took is its own. */
const deaf = () => new Ownership({ streams: store.streams, members: soleMember(), wake: () => {}, freed, log });
const record = async (id: string) => (await store.streams.get(id)) as CameraStream;

test('who does not know that its camera was taken over is refused by the number alone, whoever the record names', async () => {
  await cameras(1);
  const late = deaf();
  await late.look('camera-0');
  const own = await record('camera-0');
  expect(late.holds(own)).toBe(true);
  const heir = await process();
  await until(() => heir.owned().length === 1);
  const taken = await record('camera-0');
  expect(taken).toMatchObject({ owner: heir.members.id, fence: 2 });
  expect(late.mayStillAct(taken)).toBe(false);
  // As the writes of an owner are: the record is read anew, so that its version is right, and looked at.
  const write = change(store.streams, 'camera-0', (current) => {
    if (!late.holds({ ...current, owner: own.owner })) throw new Error('fenced');
    return { problem: 'a late write' };
  });
  await expect(write).rejects.toThrow('fenced');
  expect(late.fenceOf('camera-0')).toBeUndefined();
  expect(heir.ownership.holds(await record('camera-0'))).toBe(true);
}, 30_000);

test('a camera that was made anew counts from the beginning: who held the one of before lets it go', async () => {
  await cameras(1);
  const one = deaf();
  await one.look('camera-0');
  await store.streams.delete('camera-0');
  // Another createdAt, which is of milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 2));
  await cameras(1);
  expect(one.holds(await record('camera-0'))).toBe(false);
  expect(one.fenceOf('camera-0')).toBeUndefined();
});

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

type Streams = typeof store.streams;
type Update = Streams['update'];

/** The collection with another way to read or write. */
const having = (other: Partial<Streams>): Streams =>
  new Proxy(store.streams, {
    get(of, key) {
      const member = Reflect.get(key in other ? other : of, key);
      return typeof member === 'function' ? member.bind(of) : member;
    },
  });

test('a sweep that read a camera before this process took it leaves it alone', async () => {
  await cameras(2);
  let letGo: () => void = () => {};
  const isLetGo = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const find = (async (...args: Parameters<Streams['find']>) => {
    const found = await store.streams.find(...args);
    await isLetGo;
    return found;
  }) as Streams['find'];
  const one = await process(having({ find }));
  const stale = await record('camera-0');
  await one.ownership.look('camera-0');
  expect(one.ownership.holds(stale)).toBe(false);
  expect(one.ownership.fenceOf('camera-0')).toBe(1);
  letGo();
  await until(() => one.owned().length === 2);
  expect(one.ownership.fenceOf('camera-0')).toBe(1);
  expect(await record('camera-0')).toMatchObject({ owner: one.members.id, fence: 1 });
  // Once as it was taken: nothing was lost.
  expect(one.woken.filter((id) => id === 'camera-0')).toHaveLength(1);
}, 30_000);

test('a sweep takes 32 cameras at a time, and takes no more once it is stopped', async () => {
  await cameras(80);
  const held: (() => void)[] = [];
  let isOpen = false;
  const update: Update = async (...args) => {
    if (!isOpen) await new Promise<void>((resolve) => held.push(resolve));
    return store.streams.update(...args);
  };
  const one = await process(having({ update }));
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
  const held: (() => void)[] = [];
  const begun: string[] = [];
  let isOpen = false;
  const update: Update = async (id, ...rest) => {
    begun.push(id);
    if (!isOpen && id === ids[0]) throw new Error('no store');
    if (!isOpen) await new Promise<void>((resolve) => held.push(resolve));
    return store.streams.update(id, ...rest);
  };
  const one = await process(having({ update }));
  await until(() => held.length === 31);
  one.ownership.sweep();
  // Whatever could begin meanwhile would.
  for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
  expect(begun).toHaveLength(32);
  isOpen = true;
  for (const letGo of held) letGo();
  await until(() => one.owned().length === 80);
  expect(begun.filter((id) => id === ids[0])).toHaveLength(2);
}, 30_000);
