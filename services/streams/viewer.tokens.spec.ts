import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Collection, Collections } from '../../shared/store/collection.ts';
import { openFiles } from '../../shared/store/file.collections.ts';
import { type ViewerToken, ViewerTokens, viewerTokenSeconds } from './viewer.tokens.ts';

let directory: string;
let stores: Collections;
let records: Collection<ViewerToken>;
let tokens: ViewerTokens;
const claims = { viewer: 'u1', tokenVersion: 3, camera: 'c1' };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trigate-tokens-'));
  stores = await openFiles(directory);
  records = await stores.collection<ViewerToken>({ name: 'viewer-tokens', sortable: [], indexes: [['expiresAt']] });
  tokens = new ViewerTokens(records);
});

afterEach(async () => {
  jest.restoreAllMocks();
  await stores.close();
  await rm(directory, { recursive: true });
});

test('a token says who may watch what, and is short enough for every protocol', async () => {
  const { token } = await tokens.make(claims);
  expect(await tokens.read(token)).toMatchObject(claims);
  expect(token).toMatch(/^[A-Za-z0-9_-]{32}$/);
});

test('what is stored opens nothing', async () => {
  const { token } = await tokens.make(claims);
  const [record] = await records.find({}, { limit: 10 });
  expect(JSON.stringify(record)).not.toContain(token);
  expect(await tokens.read(record?.id as string)).toBeNull();
});

test('it is good for minutes, and then forgotten', async () => {
  const { token, expires } = await tokens.make(claims);
  expect(Date.parse(expires) - Date.now()).toBeLessThanOrEqual(viewerTokenSeconds * 1_000);
  await tokens.forgetExpired();
  expect(await records.count({})).toBe(1);
  jest.useFakeTimers({
    now: Date.parse(expires) + 1,
    doNotFake: ['setImmediate', 'nextTick', 'setTimeout', 'queueMicrotask'],
  });
  expect(await tokens.read(token)).toBeNull();
  await tokens.forgetExpired();
  jest.useRealTimers();
  expect(await records.count({})).toBe(0);
});
