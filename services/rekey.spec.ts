import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { silentLog } from '../shared/runtime/log.ts';
import { vault } from '../shared/runtime/vault.ts';
import type { Stored } from '../shared/store/collection.ts';
import { openMemory } from '../shared/store/file.collections.ts';
import { rekeyer, textsUnder } from './rekey.ts';

interface Secretive extends Stored {
  name: string;
  sealedA: string | null;
  sealedB?: string | null;
}

const [first, second, third] = ['first', 'second', 'third'].map((id) => ({ id, key: randomBytes(32) })) as [
  { id: string; key: Buffer },
  { id: string; key: Buffer },
  { id: string; key: Buffer },
];
const keys = (['sealedA', 'sealedB'] as const).map((key) => ({ key, context: (id: string) => `things/${id}/${key}` }));

async function stored(count: number, sealer = vault([first])) {
  const things = await (await openMemory()).collection<Secretive>({ name: 'things', sortable: ['id'] });
  for (let n = 0; n < count; n += 1) {
    const id = `t${String(n).padStart(4, '0')}`;
    await things.insert({ id, name: id, sealedA: sealer.seal(`a of ${id}`, `things/${id}/sealedA`), sealedB: null });
  }
  return things;
}

test('everything is sealed anew, a hundred records a call, and nothing twice', async () => {
  const things = await stored(250);
  const now = vault([second, first]);
  const rekey = rekeyer(things, textsUnder<Secretive>(keys), now, silentLog).batch;
  const seen: [number, number][] = [];
  for (let after: string | null = ''; after !== null; ) {
    const { records, resealed, next }: Awaited<ReturnType<typeof rekey>> = await rekey(after);
    seen.push([records, resealed]);
    after = next;
  }
  expect(seen).toEqual([
    [100, 100],
    [100, 100],
    [50, 50],
  ]);
  const one = await things.get('t0249');
  expect(vault([second]).open(one?.sealedA as string, 'things/t0249/sealedA')).toBe('a of t0249');
  expect(await rekey('')).toMatchObject({ records: 100, resealed: 0, unreadable: 0 });
});

test('a text that no key opens is counted, stays, and keeps none of its neighbours from being sealed anew', async () => {
  const things = await stored(1);
  const strange = vault([third]).seal('b', 'things/t0000/sealedB');
  const before = await things.get('t0000');
  await things.update('t0000', before?.version as number, { sealedB: strange });
  const answer = await rekeyer(things, textsUnder<Secretive>(keys), vault([second, first]), silentLog).batch('');
  expect(answer).toEqual({ records: 1, resealed: 1, unreadable: 1, next: null });
  expect(await things.get('t0000')).toMatchObject({ sealedA: expect.stringContaining('second'), sealedB: strange });
});

test('what somebody writes meanwhile is not overwritten', async () => {
  const things = await stored(1);
  const current = vault([second, first]);
  let raced = false;
  const racing = {
    ...things,
    get: (id: string) => things.get(id),
    find: things.find.bind(things),
    async update(id: string, version: number, patch: Partial<Secretive>) {
      if (!raced) {
        raced = true;
        await things.update(id, version, { sealedA: vault([first]).seal('newer', `things/${id}/sealedA`) });
      }
      return things.update(id, version, patch);
    },
  } as typeof things;
  expect(await rekeyer(racing, textsUnder<Secretive>(keys), current, silentLog).batch('')).toMatchObject({
    resealed: 1,
  });
  const one = await things.get('t0000');
  expect(vault([second]).open(one?.sealedA as string, 'things/t0000/sealedA')).toBe('newer');
});
