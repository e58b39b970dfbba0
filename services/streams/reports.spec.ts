import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { silentLog } from '../../shared/runtime/log.ts';
import { vault } from '../../shared/runtime/vault.ts';
import type { Collections } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import type { HookCall, HookEvent } from './media/index.ts';
import { Reports } from './reports.ts';
import { type CameraStream, type StreamsStore, streamsStore } from './streams.store.ts';
import { Viewings } from './viewings.ts';

let stores: Collections;
let store: StreamsStore;
let reports: Reports;
let told: [name: string, details: Record<string, unknown>][];
let woken: string[];
let check: (session: string) => Promise<void>;
let began: string[];
let free: string[];

const feed = { name: 'trigate/cam/1-1', ready: false, lostAt: null };

beforeEach(async () => {
  stores = openMemory();
  store = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
  told = [];
  woken = [];
  began = [];
  free = [];
  check = async (session) => void began.push(session);
  reports = new Reports({
    streams: store.streams,
    viewings: new Viewings(store.viewings, 0),
    freeNames: {
      demand: async (server, path) => void free.push(`demand ${server} ${path}`),
      unDemand: (server, path) => void free.push(`unDemand ${server} ${path}`),
    },
    emit: async (domain, event, _entity, details) => void told.push([`${domain}.${event}`, details as never]),
    began: (session) => check(session),
    wake: (camera) => woken.push(camera),
    log: silentLog,
  });
  const door = {
    id: 'cam',
    name: 'Door',
    path: 'door',
    wanted: true,
    server: 's',
    state: 'starting',
    demanded: false,
    demandedAt: null,
  };
  await store.streams.insert({ ...door, publisher: null, problem: 'old', failures: 2, feed, next: null } as never);
});
afterEach(async () => {
  jest.useRealTimers();
  await stores.close();
});

const blank = { server: 's', isFree: false, query: '', sourceType: '', sourceId: '', readerType: '', readerId: '' };
const report = (event: HookEvent, more: Partial<HookCall> = {}) =>
  reports.take({ ...blank, event, path: 'door', ...more });
const stream = async () => (await store.streams.get('cam')) as CameraStream;
const names = () => told.map(([name]) => name);

test('a demand is noted, told, and wakes the owner; its end as well', async () => {
  await report('demand', { query: 'a%3D1%26token%3Dsecret' });
  expect(await stream()).toMatchObject({ demanded: true, demandedAt: expect.any(String) });
  expect(told).toEqual([['camera.demand', { name: 'Door', enabled: true, path: 'door', query: 'a=1' }]]);
  expect(woken).toEqual(['cam']);
  const now = Date.now();
  jest.useFakeTimers({ now: now + 11_000, doNotFake: ['setImmediate', 'nextTick', 'setTimeout', 'queueMicrotask'] });
  await report('unDemand');
  expect(await stream()).toMatchObject({ demanded: false, demandedAt: null });
  expect(names()).toEqual(['camera.demand', 'camera.unDemand']);
});

test('the end of the demand before, which comes after the next one began, is none', async () => {
  await report('demand');
  await report('unDemand');
  expect(await stream()).toMatchObject({ demanded: true });
  expect(names()).toEqual(['camera.demand']);
});

test('a publisher that was replaced ends without taking the new one away, in whichever order that is told', async () => {
  await report('ready', { sourceId: 'old' });
  await report('ready', { sourceId: 'new' });
  await report('notReady', { sourceId: 'old' });
  expect(await stream()).toMatchObject({ state: 'ready', publisher: 'new', problem: null });
  await report('notReady', { sourceId: 'new' });
  expect(await stream()).toMatchObject({ state: 'starting', publisher: null });
  const once = ['camera.ready', 'streams.started'];
  expect(names()).toEqual([...once, ...once, 'camera.notReady', 'streams.stopped']);
});

test('a picture that stands for the camera is not told of', async () => {
  await report('ready', { sourceId: 'p', query: 'source=picture' });
  await report('notReady', { sourceId: 'p', query: 'source%3Dpicture' });
  expect(told).toEqual([]);
  expect(await stream()).toMatchObject({ state: 'starting', publisher: null });
});

test('a feed that delivers ends the count of failures; one that stops is noted with its time', async () => {
  await report('ready', { path: feed.name });
  expect(await stream()).toMatchObject({ failures: 0, retryAt: null, feed: { ready: true, lostAt: null } });
  await report('notReady', { path: feed.name });
  expect(await stream()).toMatchObject({ feed: { ready: false, lostAt: expect.any(String) } });
  expect(woken).toEqual(['cam', 'cam']);
});

test('what another server, a feed of before, or nobody we know reports changes nothing', async () => {
  const before = await stream();
  await report('demand', { server: 'other' });
  await report('ready', { path: 'trigate/cam/0-1' });
  await report('ready', { path: feed.name, server: 'other' });
  await report('demand', { path: 'garden' });
  await report('ready', { path: 'trigate/gone/1-1' });
  expect(await stream()).toEqual(before);
  expect(told).toEqual([]);
});

test('what ends as the camera is disabled is told of a camera that is not enabled', async () => {
  const { version } = await stream();
  await store.streams.update('cam', version, { wanted: false });
  await report('unread', { readerType: 'rtspSession', readerId: 'r1' });
  expect(told).toEqual([['camera.unread', expect.objectContaining({ name: 'Door', enabled: false, path: 'door' })]]);
});

test('a reader is told of where nobody says whether it still may watch', async () => {
  check = async () => {
    throw new Error('no answer');
  };
  await expect(report('read', { readerType: 'rtspSession', readerId: 'r1' })).rejects.toThrow('no answer');
  expect(names()).toEqual(['camera.read']);
});

test('a reader that begins is looked at, and told of', async () => {
  await report('read', { readerType: 'rtspSession', readerId: 'r1' });
  await report('unread', { readerType: 'rtspSession', readerId: 'r1' });
  expect(began).toEqual(['r1']);
  const details = { name: 'Door', enabled: true, path: 'door', query: '', readerType: 'rtspSession', readerId: 'r1' };
  expect(told).toEqual([
    ['camera.read', details],
    ['camera.unread', details],
  ]);
});

test('of a name without a camera nobody is told, but who shows pictures there, and a slot ends with its reader', async () => {
  await store.viewings.insert({ id: 'ann#1', viewer: 'ann', session: 'r1', type: 'rtspSession' } as never);
  const more = { isFree: true, path: 'gone', readerId: 'r1', readerType: 'rtspSession' };
  for (const event of ['demand', 'read', 'unread', 'unDemand'] as const) await report(event, more);
  expect(free).toEqual(['demand s gone', 'unDemand s gone']);
  expect(began).toEqual(['r1']);
  expect(await store.viewings.find({}, { limit: 1 })).toEqual([]);
  expect([told, woken]).toEqual([[], []]);
});
