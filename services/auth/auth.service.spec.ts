import { beforeEach, expect, test } from '@jest/globals';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { silentLog as log } from '../../shared/runtime/log.ts';
import type { Collections } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import type { ServiceDeps } from '../deps.ts';
import { startAuth } from './auth.service.ts';
import { authStore, hashKey } from './auth.store.ts';

const apiKey = 'as-configured';

let stores: Collections;
let announced: string[];
beforeEach(() => {
  stores = openMemory();
  announced = [];
});

/** A process of the service begins. */
const start = (config: { apiKey?: string } = { apiKey }) => {
  const announce = (line: string) => announced.push(line);
  return startAuth({ stores, bus: memoryBus(), log, config, announce } as unknown as ServiceDeps);
};
const known = async () => (await (await authStore(stores)).byHash(hashKey(apiKey))) !== null;
async function deleteAll(): Promise<void> {
  await (await authStore(stores)).keys.deleteMany({});
}

test('the first key is made once, by one of the processes that start', async () => {
  await Promise.all([start(), start(), start()]);
  await start();
  expect([await known(), announced]).toEqual([true, ['API key: (as configured)']]);
});

test('the first key that was deleted stays refused after a restart', async () => {
  await start();
  await deleteAll();
  await start();
  expect([await known(), announced]).toEqual([false, ['API key: (as configured)']]);
});

test('where no key is configured none is made again either', async () => {
  await start({});
  await deleteAll();
  await start({});
  expect([await (await authStore(stores)).keys.count({}), announced.length]).toEqual([0, 1]);
});

test('keys that an older release made count as the first', async () => {
  const { keys } = await authStore(stores);
  await keys.insert({ name: 'mine', roles: ['user'], requireSignature: false, keyHash: hashKey('mine') });
  await start();
  await deleteAll();
  await start();
  expect([await known(), announced]).toEqual([false, []]);
});
