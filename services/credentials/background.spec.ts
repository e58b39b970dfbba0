import { afterEach, expect, test } from '@jest/globals';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { silentLog as log } from '../../shared/runtime/log.ts';
import type { Stored } from '../../shared/store/collection.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { eventually } from '../../test/system/clients/wait.ts';
import { background } from './background.ts';
import { credentialsStore, noTokens } from './credentials.store.ts';
import type { Grants } from './grants.ts';
import type { DeviceSync } from './sync.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
const iso = (ms: number) => new Date(Date.now() + ms).toISOString();

/** Some processes over one store and one bus; what they did, and to which credentials. */
async function processes(count: number, failing: string[] = []) {
  const stores = openMemory();
  const bus = memoryBus();
  let claims = 0;
  const counting = {
    claim(name: string, ttlMs: number) {
      claims += 1;
      return bus.claim(name, ttlMs);
    },
  };
  const credentials = await credentialsStore(stores);
  const handled = await stores.collection<Stored>({ name: 'google-events', sortable: [] });
  const renewed: string[] = [];
  const listed: string[] = [];
  const done = (list: string[]) => async (id: string) => {
    list.push(id);
    if (failing.includes(id)) throw new Error('on purpose');
  };
  for (let n = 0; n < count; n += 1) {
    const grants = { renew: done(renewed) } as unknown as Grants;
    const sync = { run: done(listed) } as unknown as DeviceSync;
    const { stop } = background({ credentials, grants, sync, handled, bus: counting, log });
    stops.push(stop);
  }
  const add = (id: string, due: { refreshAt?: string; syncAt?: string }) =>
    credentials.insert({
      id,
      description: id,
      checksum: id,
      sealedClientId: '',
      sealedClientSecret: '',
      sealedProjectId: null,
      ...noTokens,
      ...due,
    });
  return { renewed, listed, add, claims: () => claims };
}

test('what is due is done, what is not is left alone', async () => {
  const { renewed, listed, add } = await processes(1, ['broken']);
  await add('broken', { refreshAt: iso(-2_000), syncAt: iso(-2_000) });
  await add('old', { refreshAt: iso(-1_000), syncAt: iso(-1_000) });
  await add('young', { refreshAt: iso(60_000), syncAt: iso(60_000) });
  await add('without tokens', {});
  await eventually(
    async () => new Set(renewed.slice(-2)),
    (last) => last.size === 2 && listed.length === 2,
    5_000,
  );
  expect([new Set(renewed), new Set(listed)]).toEqual([new Set(['broken', 'old']), new Set(['broken', 'old'])]);
}, 10_000);

test('of several processes one lists the devices', async () => {
  const { listed, add, claims } = await processes(4);
  await add('a', { syncAt: iso(-1_000) });
  await add('b', { syncAt: iso(-1_000) });
  // Each process has seen both, but for a sweep of each.
  await eventually(
    async () => claims(),
    (asked) => asked >= 12,
    8_000,
  );
  expect(listed.sort()).toEqual(['a', 'b']);
}, 10_000);
