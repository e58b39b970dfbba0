import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { vault } from '../../shared/runtime/vault.ts';
import type { Collections } from '../../shared/store/collection.ts';
import { openFiles } from '../../shared/store/file.collections.ts';
import { streamsStore } from './streams.store.ts';
import type { ViewerToken } from './viewer.tokens.ts';
import { Viewings } from './viewings.ts';

let directory: string;
let stores: Collections;
let viewings: Viewings;
const limited = expect.objectContaining({ type: 'LIMIT_EXCEEDED' });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trigate-viewings-'));
  stores = await openFiles(directory);
  const store = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
  viewings = new Viewings(store.viewings, 3);
});

afterEach(async () => {
  await stores.close();
  await rm(directory, { recursive: true });
});

const now = new Date().toISOString();
const claims = (id: string, viewer = 'u'): ViewerToken => ({
  viewer,
  id,
  version: 1,
  createdAt: now,
  updatedAt: now,
  expiresAt: now,
  tokenVersion: 1,
  camera: 'c',
});
const on = (session: string) => ({ server: 's', session });

test('of many readers of one user that begin at once, as many get in as there are slots', async () => {
  const settled = await Promise.allSettled(
    Array.from({ length: 12 }, (_, n) => viewings.reserve(claims(`t${n}`), on(`r${n}`))),
  );
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
  for (const one of settled) if (one.status === 'rejected') expect(one.reason).toEqual(limited);
  await expect(viewings.assertFree('u')).rejects.toEqual(limited);
  await viewings.reserve(claims('t', 'another user'), on('other'));
});

test('the connection and the session of one RTSP reader take one slot', async () => {
  await viewings.reserve(claims('t1'), on('connection'));
  await viewings.reserve(claims('t1'), on('session'));
  await viewings.began('session', 'rtspSession');
  expect(await viewings.ofViewer('u')).toMatchObject([{ session: 'session', type: 'rtspSession' }]);
});

test('two readers that begin with one token at the same time have a slot each', async () => {
  for (const id of ['connection a', 'connection b', 'a', 'b']) await viewings.reserve(claims('t1'), on(id));
  expect(await viewings.ofViewer('u')).toHaveLength(1);
  await viewings.began('a', 'rtspSession');
  await viewings.began('b', 'rtspSession');
  await viewings.began('a', 'rtspSession');
  const held = await viewings.ofViewer('u');
  expect(held.map(({ session, type }) => [session, type]).sort()).toEqual([
    ['a', 'rtspSession'],
    ['b', 'rtspSession'],
  ]);
  expect(held[1]).toMatchObject({ token: 't1', camera: 'c', server: 's', tokenVersion: 1 });
  await viewings.ended('a');
  expect((await viewings.ofViewer('u')).map(({ session }) => session)).toEqual(['b']);
});

test('of two readers that begin with one token where one slot is left, one has it and the other is told', async () => {
  for (const n of [1, 2]) await viewings.reserve(claims(`t${n}`), on(`r${n}`));
  for (const id of ['a', 'b']) await viewings.reserve(claims('t3'), on(id));
  const settled = await Promise.allSettled(['a', 'b'].map((id) => viewings.began(id, 'rtspSession')));
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(settled).toContainEqual({ status: 'rejected', reason: limited });
});

test('a token that is used again while it is watched with takes another slot', async () => {
  for (const session of ['r1', 'r2', 'r3']) {
    await viewings.reserve(claims('t1'), on(session));
    await viewings.began(session, 'rtspSession');
  }
  await expect(viewings.reserve(claims('t1'), on('r4'))).rejects.toEqual(limited);
});

test('who ends gives the slot back', async () => {
  for (const n of [1, 2, 3]) await viewings.reserve(claims(`t${n}`), on(`r${n}`));
  await viewings.ended('r2');
  await viewings.reserve(claims('t4'), on('r4'));
  await viewings.assertFree('another user');
  await expect(viewings.reserve(claims('t5'), on('r5'))).rejects.toEqual(limited);
});

test('without a limit everybody gets in', async () => {
  const store = await streamsStore(stores, vault([{ id: 'k', key: Buffer.alloc(32, 1) }]));
  const unlimited = new Viewings(store.viewings, 0);
  for (let n = 0; n < 10; n += 1) await unlimited.reserve(claims(`t${n}`), on(`r${n}`));
  await unlimited.assertFree('u');
});
