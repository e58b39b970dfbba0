import { expect, test } from '@jest/globals';
import { type Call, Failure } from '../../shared/contracts/index.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { vault } from '../../shared/runtime/vault.ts';
import { openMemory } from '../../shared/store/file.collections.ts';
import { streamsStore } from './streams.store.ts';
import { Wiring } from './wiring.ts';

const seals = vault([{ id: 'k', key: Buffer.alloc(32, 1) }]);
const door = { id: 'cam', name: 'Door', uid: 'd', mtx_path: 'door', is_enabled: true, is_persistent: false };
const wired = { ...door, protocols: [], credentialId: null, sealedSource: null };

test.each([
  ['is deleted', undefined, null],
  ['is disabled', { is_enabled: false }, { wanted: false }],
  ['is made persistent', { is_persistent: true }, { wanted: true, persistent: true }],
] as const)('a camera that %s while all are compared stays as it is then', async (_what, changed, left) => {
  const stores = openMemory();
  const { streams } = await streamsStore(stores, seals);
  let now: object | undefined = wired;
  let listed = () => {};
  const isListed = new Promise<void>((resolve) => {
    listed = resolve;
  });
  const call = (async (_name: string, { entity }: { entity?: string }) => {
    if (entity !== undefined && !now) throw new Failure('NOT_FOUND');
    if (entity !== undefined) return { items: [now] };
    // The event comes after the page was read, and before its cameras are looked at.
    now = changed && { ...wired, ...changed };
    await wiring.camera('cam');
    if (!changed) await streams.deleteMany({ id: 'cam' });
    listed();
    return { items: [wired], total: 1 };
  }) as unknown as Call;
  const wiring = new Wiring({ streams, call, vault: seals, wake: () => {}, log: silentLog });
  await wiring.camera('cam');
  wiring.start();
  await isListed;
  await wiring.stop();
  const record = await streams.get('cam');
  if (left) expect(record).toMatchObject(left);
  else expect(record).toBeNull();
  await stores.close();
});

test('a camera that is enabled again at the moment its record is taken away has a new one at once', async () => {
  const stores = openMemory();
  const { streams } = await streamsStore(stores, seals);
  const woken: string[] = [];
  const call = (async () => ({ items: [wired] })) as unknown as Call;
  let isGoing = false;
  const watched = new Proxy(streams, {
    get(of, key) {
      const member = Reflect.get(of, key);
      if (key !== 'get') return typeof member === 'function' ? member.bind(of) : member;
      return async (id: string) => {
        const found = await of.get(id);
        // Its owner takes it away between this look and the next.
        if (isGoing && found) await of.delete(id);
        return found;
      };
    },
  });
  const wiring = new Wiring({ streams: watched, call, vault: seals, wake: (id) => woken.push(id), log: silentLog });
  await wiring.camera('cam');
  const before = await streams.get('cam');
  await streams.update('cam', before?.version as number, { wanted: false, fence: 3 });
  isGoing = true;
  await wiring.camera('cam');
  expect(await streams.get('cam')).toMatchObject({ wanted: true, fence: 0, path: 'door' });
  expect(woken).toEqual(['cam', 'cam']);
  await wiring.stop();
  await stores.close();
});
