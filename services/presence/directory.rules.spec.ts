import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Directory, type Entry } from './directory.rules.ts';

const entryOf = (key: string, id: string): Entry => ({ key, id });
const inOrder = (a: Entry, b: Entry) => (a.key < b.key || (a.key === b.key && a.id < b.id) ? -1 : 1);

test('pages are those of the sorted list, whatever was put in and taken out', () => {
  const keys = fc.stringMatching(/^[ab\u00e9\uffff]{0,4}$/);
  const steps = fc.array(fc.record({ key: keys, id: fc.nat(30), out: fc.boolean() }), { maxLength: 300 });
  const query = fc.record({ prefix: keys, descending: fc.boolean(), skip: fc.nat(40), take: fc.nat(40) });
  fc.assert(
    fc.property(steps, fc.array(query, { minLength: 5, maxLength: 5 }), (changes, queries) => {
      const directory = new Directory<Entry>();
      const model = new Map<string, Entry>();
      for (const { key, id, out } of changes) {
        const name = `${key}/${id}`;
        const known = model.get(name);
        if (out) {
          expect(directory.remove(known ?? entryOf(key, String(id)))).toBe(known !== undefined);
          model.delete(name);
        } else if (!known) {
          const entry = entryOf(key, String(id));
          model.set(name, entry);
          directory.add(entry);
        }
      }
      const sorted = [...model.values()].sort(inOrder);
      expect(directory.size).toBe(sorted.length);
      for (const { prefix, descending, skip, take } of queries) {
        const all = sorted.filter(({ key }) => key.startsWith(prefix));
        if (descending) all.reverse();
        expect(directory.page({ prefix, descending, skip, take })).toEqual({
          items: all.slice(skip, skip + take),
          total: all.length,
        });
      }
    }),
    { numRuns: 200 },
  );
});

test('of 100,000 every page and prefix is found', () => {
  const directory = new Directory<Entry>();
  const shuffled = Array.from({ length: 100_000 }, (_, n) => (n * 7_919) % 100_000);
  for (const n of shuffled) directory.add(entryOf(`user-${String(n).padStart(6, '0')}`, String(n)));
  for (let n = 0; n < 200; n++) {
    const { items, total } = directory.page({ prefix: '', descending: n % 2 === 0, skip: n * 400, take: 100 });
    expect([items.length, total]).toEqual([100, 100_000]);
    expect(directory.page({ prefix: 'user-0777', descending: false, skip: 0, take: 10 }).total).toBe(100);
  }
});
