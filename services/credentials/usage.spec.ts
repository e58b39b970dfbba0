import { expect, test } from '@jest/globals';
import type { Stored } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { usageStore } from './usage.ts';

const device = (n: number) => `enterprises/p/devices/${n}`;

test('processes that take at the same time take no more than there is', async () => {
  const stores = openMemory();
  const processes = await Promise.all([usageStore(stores, 1), usageStore(stores, 1), usageStore(stores, 1)]);
  const waits = await Promise.all(
    Array.from({ length: 30 }, (_, n) => processes[n % 3]?.take('c', device(n % 6), 'A.B', 'extend')),
  );
  expect(waits.filter((wait) => wait === 0).length).toBeLessThanOrEqual(10);
  for (let n = 0; n < 10; n += 1) await processes[0]?.take('c', device(n), 'A.B', 'extend');
  expect(await processes[1]?.take('c', device(99), 'A.B', 'extend')).toBeGreaterThan(50_000);
  expect(await processes[1]?.take('other', device(99), 'A.B', 'extend')).toBe(0);
});

test('of forty commands that one process has at the same time none loses a race, beside another process', async () => {
  const stores = openMemory();
  const [one, other] = [await usageStore(stores, 1), await usageStore(stores, 1)];
  const asked = (from: typeof one, first: number) =>
    Array.from({ length: 40 }, (_, n) => from.take('c', device(first + n), 'A.B', 'extend'));
  const waits = await Promise.all([...asked(one, 0), ...asked(other, 40)]);
  expect(waits.filter((wait) => wait === 0)).toHaveLength(10);
  for (const wait of waits) if (wait > 0) expect(wait).toBeGreaterThan(50_000);
});

test('a device that Google is tired of rests in every process', async () => {
  const stores = openMemory();
  const [one, other] = [await usageStore(stores, 1), await usageStore(stores, 1)];
  expect(await one.block('c', device(1))).toBe(60_000);
  expect(await other.take('c', device(1), 'A.B', 'extend')).toBeGreaterThan(59_000);
  expect(await other.take('c', device(2), 'A.B', 'extend')).toBe(0);
  await one.forget('c');
  expect(await other.take('c', device(1), 'A.B', 'extend')).toBe(0);
});

test('the record stays small, and names no device', async () => {
  const stores = openMemory();
  const { take } = await usageStore(stores, 1_000);
  for (let n = 0; n < 10; n += 1) await take('c', device(n), 'CameraLiveStream.ExtendWebRtcStream', 'extend');
  const records = await (await stores.collection<Stored>({ name: 'google-usage', sortable: [] })).get('c');
  const text = JSON.stringify(records);
  expect(text).not.toContain('enterprises');
  expect(text.length).toBeLessThan(10 * 32 + 200);
});
