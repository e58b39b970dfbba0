import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type Collection,
  type CollectionSpec,
  type Collections,
  Duplicate,
  type ListQuery,
  type Stored,
} from './collection.ts';
import { migrationSuite } from './migrate.suite.ts';

export interface Opened {
  stores: Collections;
  /** Closes the stores and opens the same data again. */
  reopen(): Promise<Collections>;
  cleanup(): Promise<void>;
}

export interface Person extends Stored {
  username: string;
  email: string | null;
  badge?: number;
  age: number | null;
  active: boolean;
  roles: string[];
  data?: Record<string, unknown>;
}

export const PEOPLE: CollectionSpec<Person> = {
  name: 'people',
  unique: ['username', 'email', 'badge'],
  sortable: ['username', 'age', 'createdAt', 'id'],
  search: { keys: ['username', 'email'], match: 'contains' },
  indexes: [['age'], ['roles', 'active']],
};

export const person = (username: string, more: Partial<Person> = {}) => ({
  username,
  email: null,
  age: null,
  active: true,
  roles: [],
  ...more,
});
export const FIRST_PAGE: ListQuery = { page: 1, itemsPerPage: 10, sortBy: [], search: null };
const names = (people: readonly Person[]) => people.map(({ username }) => username);

/** What every implementation of Collections does. */
export function collectionSuite(name: string, open: () => Promise<Opened>): void {
  describe(name, () => {
    let opened: Opened;
    let stores: Collections;
    let count = 0;
    beforeAll(async () => {
      opened = await open();
      stores = opened.stores;
    });
    afterAll(() => opened?.cleanup());
    const fresh = (spec: Partial<CollectionSpec<Person>> = {}): Promise<Collection<Person>> => {
      count += 1;
      return stores.collection({ ...PEOPLE, ...spec, name: `people_${count}` });
    };

    recordTests(fresh);
    uniqueTests(fresh);
    changeTests(fresh);
    findTests(fresh);
    listTests(fresh);
    searchTests(fresh);
    arrayTests(fresh);
    migrationSuite(() => stores);

    test('a collection asked for twice is the same one', async () => {
      const [one, two] = await Promise.all([stores.collection(PEOPLE), stores.collection(PEOPLE)]);
      expect(one).toBe(two);
    });

    test('what was stored, changed and deleted is so after the store was opened again', async () => {
      const before = await stores.collection(PEOPLE);
      const kept = await before.insert(person('kept', { data: { 'a.b': 1 } }));
      const changed = await before.insert(person('changed'));
      const gone = await before.insert(person('gone'));
      const after = await before.update(changed.id, 1, { age: 7 });
      await before.delete(gone.id);
      stores = await opened.reopen();
      const people = await stores.collection(PEOPLE);
      expect(await people.get(kept.id)).toEqual(kept);
      expect(await people.get(changed.id)).toEqual(after);
      expect(await people.get(gone.id)).toBeNull();
      await expect(people.insert(person('kept'))).rejects.toBeInstanceOf(Duplicate);
    });

    test('a store that answers is healthy', async () => {
      expect(await stores.healthy()).toBe(true);
    });
  });
}

type Fresh = (spec?: Partial<CollectionSpec<Person>>) => Promise<Collection<Person>>;

function recordTests(fresh: Fresh): void {
  test('an inserted record gets an id, its times and version 1', async () => {
    const people = await fresh();
    const before = new Date().toISOString();
    const ann = await people.insert(person('ann', { roles: ['admin'] }));
    expect(ann).toEqual({
      ...person('ann', { roles: ['admin'] }),
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      updatedAt: ann.createdAt,
      version: 1,
    });
    expect(ann.createdAt >= before).toBe(true);
    expect(await people.get(ann.id)).toEqual(ann);
  });

  test('a record keeps the id it was given, and that id is taken then', async () => {
    const people = await fresh();
    await people.insert({ ...person('ann'), id: 'a' });
    expect((await people.get('a'))?.username).toBe('ann');
    await expect(people.insert({ ...person('bob'), id: 'a' })).rejects.toMatchObject({ name: 'Duplicate', key: 'id' });
    await expect(people.insert({ ...person('bob'), id: '' })).rejects.toBeInstanceOf(RangeError);
  });

  test('an id nobody has is null', async () => {
    expect(await (await fresh()).get('nobody')).toBeNull();
  });

  test('free-form data comes back as it went in, whatever its keys', async () => {
    const people = await fresh();
    const data = { 'a.b': { $set: 1, '100%': [{ 'x.': null }] }, '%2E': true, '': 'empty' };
    const { id } = await people.insert(person('ann', { data }));
    expect((await people.get(id))?.data).toEqual(data);
    const next = { 'c.d': 2, 'nul\0': [{ _bsontype: 'ObjectId' }], _bsontype: 'x', _bsontypes: 1 };
    expect((await people.update(id, 1, { data: next }))?.data).toEqual(next);
    expect((await people.get(id))?.data).toEqual(next);
  });

  test('changing a record that was returned changes nothing in the store', async () => {
    const people = await fresh();
    const ann = await people.insert(person('ann', { roles: ['user'], data: { a: { b: 1 } } }));
    for (const read of [ann, await people.get(ann.id), (await people.list(FIRST_PAGE)).items[0]]) {
      read?.roles.push('admin');
      (read?.data?.a as Record<string, unknown>).b = 2;
    }
    expect(await people.get(ann.id)).toMatchObject({ roles: ['user'], data: { a: { b: 1 } } });
  });

  test('an absent value stays absent and a null one stays null', async () => {
    const people = await fresh();
    const { id } = await people.insert(person('ann', { badge: undefined }));
    const read = await people.get(id);
    expect(read).not.toHaveProperty('badge');
    expect(read).toHaveProperty('email', null);
  });
}

function uniqueTests(fresh: Fresh): void {
  test('a value that another record has at a unique key is refused by name', async () => {
    const people = await fresh();
    await people.insert(person('ann', { email: 'a@x' }));
    const refused = people.insert(person('bob', { email: 'a@x' }));
    await expect(refused).rejects.toBeInstanceOf(Duplicate);
    await expect(people.insert(person('ann'))).rejects.toMatchObject({ key: 'username' });
    await expect(people.insert(person('bob', { email: 'a@x' }))).rejects.toMatchObject({ key: 'email' });
    expect(await people.count({})).toBe(1);
  });

  test('of 20 concurrent inserts of one unique value exactly one wins', async () => {
    const people = await fresh();
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => people.insert(person('ann'))));
    const lost = all.filter((one) => one.status === 'rejected');
    expect(lost).toHaveLength(19);
    expect(lost.every(({ reason }) => reason instanceof Duplicate)).toBe(true);
    expect(await people.count({})).toBe(1);
  });

  test('null and absent values at a unique key are not compared', async () => {
    const people = await fresh();
    await people.insert(person('ann', { email: null }));
    await people.insert(person('bob', { email: null, badge: 1 }));
    const { id } = await people.insert(person('eve', { email: 'e@x', badge: 2 }));
    await people.update(id, 1, { email: null });
    expect(await people.count({ email: null })).toBe(3);
  });

  test('an update to a taken value is refused and changes nothing', async () => {
    const people = await fresh();
    await people.insert(person('ann'));
    const bob = await people.insert(person('bob'));
    await expect(people.update(bob.id, 1, { username: 'ann', age: 3 })).rejects.toMatchObject({ key: 'username' });
    expect(await people.get(bob.id)).toEqual(bob);
  });

  test('a unique value is free again once its record is changed, set to null or deleted', async () => {
    const people = await fresh();
    const ann = await people.insert(person('ann', { email: 'a@x' }));
    await people.update(ann.id, 1, { username: 'anna', email: null });
    const next = await people.insert(person('ann', { email: 'a@x' }));
    await people.delete(next.id);
    await people.insert(person('ann', { email: 'a@x' }));
    await expect(people.insert(person('anna'))).rejects.toBeInstanceOf(Duplicate);
  });
}

function changeTests(fresh: Fresh): void {
  test('an update merges, and moves version and time on', async () => {
    const people = await fresh();
    const ann = await people.insert(person('ann', { roles: ['user'] }));
    const updated = await people.update(ann.id, 1, { age: 30 });
    expect(updated).toEqual({ ...ann, age: 30, version: 2, updatedAt: expect.any(String) });
    expect((updated?.updatedAt ?? '') >= ann.updatedAt).toBe(true);
    expect(await people.get(ann.id)).toEqual(updated);
  });

  test('an update of another version, or of nothing, is null and changes nothing', async () => {
    const people = await fresh();
    const ann = await people.insert(person('ann'));
    expect(await people.update(ann.id, 2, { age: 30 })).toBeNull();
    expect(await people.update('nobody', 1, { age: 30 })).toBeNull();
    expect(await people.get(ann.id)).toEqual(ann);
  });

  test('undefined in a patch leaves a value, null sets it, what the collection sets itself is not taken', async () => {
    const people = await fresh();
    const ann = await people.insert(person('ann', { age: 1 }));
    const patch = { age: undefined, email: null, id: 'x', version: 9, createdAt: 'x' } as object;
    const updated = await people.update(ann.id, 1, patch);
    expect(updated).toMatchObject({ id: ann.id, age: 1, version: 2, createdAt: ann.createdAt });
  });

  test('of two updates of the same version one wins', async () => {
    const people = await fresh();
    const { id } = await people.insert(person('ann'));
    const results = await Promise.all([people.update(id, 1, { age: 1 }), people.update(id, 1, { age: 2 })]);
    const won = results.filter((one) => one !== null);
    expect(won).toHaveLength(1);
    expect(await people.get(id)).toEqual(won[0]);
  });

  test('delete answers the record once, and only with its version where one is given', async () => {
    const people = await fresh();
    const ann = await people.insert(person('ann'));
    expect(await people.delete(ann.id, 2)).toBeNull();
    const both = await Promise.all([people.delete(ann.id, 1), people.delete(ann.id)]);
    expect(both.filter((one) => one !== null)).toEqual([ann]);
    expect(await people.get(ann.id)).toBeNull();
  });

  test('deleteMany deletes what its filter finds and says how many', async () => {
    const people = await fresh();
    for (const name of ['ann', 'bob', 'eve']) await people.insert(person(name, { active: name !== 'eve' }));
    expect(await people.deleteMany({ active: true })).toBe(2);
    expect(await people.deleteMany({ active: true })).toBe(0);
    expect(names(await people.find({}, { limit: 10 }))).toEqual(['eve']);
    expect((await people.list(FIRST_PAGE)).total).toBe(1);
    await people.insert(person('ann'));
  });

  test('a filter whose value is undefined is an error, not everything', async () => {
    const people = await fresh();
    await people.insert(person('ann'));
    await expect(people.deleteMany({ username: undefined } as never)).rejects.toBeInstanceOf(TypeError);
    expect(await people.count({})).toBe(1);
  });
}

function findTests(fresh: Fresh): void {
  async function four(): Promise<Collection<Person>> {
    const people = await fresh();
    await people.insert({ ...person('ann', { age: 10, roles: ['admin', 'user'], badge: 1 }), id: 'a' });
    await people.insert({ ...person('bob', { age: 20, roles: ['user'], email: 'b@x' }), id: 'b' });
    await people.insert({ ...person('eve', { age: 30, active: false }), id: 'e' });
    await people.insert({ ...person('zoe', { active: false }), id: 'z' });
    return people;
  }
  const cases: [string, Parameters<Collection<Person>['count']>[0], string][] = [
    ['one value', { username: 'bob' }, 'bob'],
    ['the id', { id: 'e' }, 'eve'],
    ['several values at once', { active: false, age: 30 }, 'eve'],
    ['an array that contains a value', { roles: 'user' }, 'ann bob'],
    ['a whole array', { roles: ['admin', 'user'] }, 'ann'],
    ['null, which also means absent', { email: null, badge: null as never }, 'eve zoe'],
    ['one of several values', { username: { $in: ['ann', 'zoe', 'nobody'] } }, 'ann zoe'],
    ['one of several ids', { id: { $in: ['a', 'z'] } }, 'ann zoe'],
    ['one of several values in an array', { roles: { $in: ['admin', 'user'] } }, 'ann bob'],
    ['one of several values with null', { email: { $in: [null, 'b@x'] } }, 'ann bob eve zoe'],
    ['none of no values', { username: { $in: [] } }, ''],
    ['less', { age: { $lt: 20 } }, 'ann'],
    ['more', { age: { $gt: 10 } }, 'bob eve'],
    ['an order of text', { username: { $gt: 'bob' } }, 'eve zoe'],
    ['either', { $or: [{ username: 'ann' }, { active: false }] }, 'ann eve zoe'],
    ['either, and a value', { age: { $gt: 0 }, $or: [{ username: 'ann' }, { active: false }] }, 'ann eve'],
    ['either of nothing', { $or: [] }, ''],
    ['an object that looks like an operator', { username: { $ne: 'ann' } as never }, ''],
  ];
  test.each(cases)('filters by %s', async (_, filter, expected) => {
    const people = await four();
    const found = names(await people.find(filter, { limit: 10 })).sort();
    expect(found.join(' ')).toBe(expected);
    expect(await people.count(filter)).toBe(found.length);
    const page = await people.list(FIRST_PAGE, filter);
    expect(names(page.items).sort()).toEqual(found);
    expect(page.total).toBe(found.length);
  });

  test('find answers at most its limit, in the order asked for', async () => {
    const people = await four();
    const found = await people.find({}, { limit: 2, sort: [{ key: 'username', order: 'desc' }] });
    expect(names(found)).toEqual(['zoe', 'eve']);
    await expect(people.find({}, { limit: 0 })).rejects.toBeInstanceOf(RangeError);
    await expect(people.find({}, { limit: 1_001 })).rejects.toBeInstanceOf(RangeError);
  });
}

function listTests(fresh: Fresh): void {
  test('lists are sorted by their key, null first, then newest first, then by id', async () => {
    const people = await fresh();
    for (const [id, age] of [
      ['d', 2],
      ['a', null],
      ['c', 1],
      ['b', 2],
    ] as const) {
      await people.insert({ ...person(`u${id}`, { age }), id });
      await nextMillisecond();
    }
    const by = async (...sortBy: ListQuery['sortBy']) =>
      (await people.list({ ...FIRST_PAGE, sortBy })).items.map(({ id }) => id).join('');
    expect(await by()).toBe('bcad');
    expect(await by({ key: 'createdAt', order: 'asc' })).toBe('dacb');
    expect(await by({ key: 'age', order: 'asc' })).toBe('acbd');
    expect(await by({ key: 'age', order: 'desc' })).toBe('bdca');
    expect(await by({ key: 'age', order: 'desc' }, { key: 'username', order: 'desc' })).toBe('dbca');
    expect(await by({ key: 'id', order: 'desc' })).toBe('dcba');
    await expect(by({ key: 'active', order: 'asc' })).rejects.toBeInstanceOf(RangeError);
  });

  test('records of the same millisecond are on exactly one page each', async () => {
    const people = await fresh();
    await Promise.all(Array.from({ length: 25 }, (_, index) => people.insert(person(`u${index}`, { age: index % 2 }))));
    const seen: Person[] = [];
    for (const page of [1, 2, 3]) {
      const answer = await people.list({ ...FIRST_PAGE, page, sortBy: [{ key: 'age', order: 'asc' }] });
      expect(answer).toMatchObject({ total: 25, page, itemsPerPage: 10 });
      expect(answer.items).toHaveLength(page === 3 ? 5 : 10);
      seen.push(...answer.items);
    }
    expect(new Set(names(seen)).size).toBe(25);
    const place = ({ age, createdAt, id }: Person) => `${age} ${9e15 - Date.parse(createdAt)} ${id}`;
    expect(seen.map(place)).toEqual(seen.map(place).sort());
    expect((await people.list({ ...FIRST_PAGE, page: 4 })).items).toEqual([]);
  });

  test('a list that was read before shows every later change', async () => {
    const people = await fresh();
    const byAge: ListQuery = { ...FIRST_PAGE, sortBy: [{ key: 'age', order: 'asc' }] };
    const ann = await people.insert(person('ann', { age: 1 }));
    const bob = await people.insert(person('bob', { age: 2 }));
    expect(names((await people.list(byAge)).items)).toEqual(['ann', 'bob']);
    await people.insert(person('eve', { age: 3 }));
    await people.update(ann.id, 1, { age: 9 });
    expect(names((await people.list(byAge)).items)).toEqual(['bob', 'eve', 'ann']);
    await people.delete(bob.id);
    expect(names((await people.list(byAge)).items)).toEqual(['eve', 'ann']);
  });
}

function searchTests(fresh: Fresh): void {
  const search = async (people: Collection<Person>, text: string | null) =>
    names((await people.list({ ...FIRST_PAGE, search: text })).items)
      .sort()
      .join(' ');

  test('search finds text anywhere in its keys, ignoring case', async () => {
    const people = await fresh();
    await people.insert(person('Anna', { email: 'first@Example.org' }));
    await people.insert(person('JOANNA'));
    await people.insert(person('ÄRGER'));
    expect(await search(people, 'aNN')).toBe('Anna JOANNA');
    expect(await search(people, 'example')).toBe('Anna');
    expect(await search(people, 'ärg')).toBe('ÄRGER');
    expect(await search(people, 'nobody')).toBe('');
    expect(await search(people, '')).toBe('Anna JOANNA ÄRGER');
    expect(await search(people, null)).toBe('Anna JOANNA ÄRGER');
  });

  test('search by prefix finds the start of a value only', async () => {
    const people = await fresh({ search: { keys: ['username', 'email'], match: 'prefix' } });
    await people.insert(person('Anna'));
    await people.insert(person('Joanna', { email: 'anywhere@x' }));
    await people.insert(person('Hanna\nanna'));
    expect(await search(people, 'an')).toBe('Anna Joanna');
  });

  test.each(['.*(', '^a', 'a$', '[a-z]', 'a|b', '\\', 'a{2}', '?', '\0', '$where', '-', '/'])(
    'search takes %j as plain text',
    async (text) => {
      const people = await fresh();
      await people.insert(person('aab'));
      if (text !== '\0') await people.insert(person(`x${text}y`));
      expect(await search(people, text)).toBe(text === '\0' ? '' : `x${text}y`);
    },
  );

  test('search follows changes and goes with a filter and pages', async () => {
    const people = await fresh();
    const ann = await people.insert(person('ann', { email: 'a@x' }));
    await people.insert(person('anton', { active: false }));
    await people.update(ann.id, 1, { username: 'bea', email: null });
    expect(await search(people, 'an')).toBe('anton');
    expect(await search(people, 'a@x')).toBe('');
    expect(await search(people, 'be')).toBe('bea');
    const page = await people.list({ ...FIRST_PAGE, search: 'n' }, { active: true });
    expect(page.total).toBe(0);
  });

  test('a collection without search keys finds nothing by search', async () => {
    const people = await fresh({ search: undefined });
    await people.insert(person('ann'));
    expect(await search(people, 'ann')).toBe('');
  });
}

function arrayTests(fresh: Fresh): void {
  test('add adds once; a value that is there leaves the record as it is', async () => {
    const people = await fresh();
    const { id } = await people.insert(person('ann'));
    expect(await people.add(id, 'roles', 'user', 2)).toMatchObject({ roles: ['user'], version: 2 });
    expect(await people.add(id, 'roles', 'user', 2)).toMatchObject({ roles: ['user'], version: 2 });
    expect(await people.add(id, 'roles', 'admin', 2)).toMatchObject({ roles: ['user', 'admin'], version: 3 });
    expect(await people.add(id, 'roles', 'more', 2)).toBeNull();
    expect(await people.add(id, 'roles', 'user', 2)).toMatchObject({ version: 3 });
    expect(await people.add(id, 'roles', 'more', 0)).toBeNull();
    expect(await people.add('nobody', 'roles', 'user', 2)).toBeNull();
    expect(await people.find({ roles: 'admin' }, { limit: 1 })).toHaveLength(1);
  });

  test('remove takes out unless fewer than its minimum would stay', async () => {
    const people = await fresh();
    const { id } = await people.insert(person('ann', { roles: ['a', 'b'] }));
    expect(await people.remove(id, 'roles', 'x', 1)).toMatchObject({ roles: ['a', 'b'], version: 1 });
    expect(await people.remove(id, 'roles', 'a', 1)).toMatchObject({ roles: ['b'], version: 2 });
    expect(await people.remove(id, 'roles', 'b', 1)).toBeNull();
    expect(await people.remove(id, 'roles', 'b', 0)).toMatchObject({ roles: [], version: 3 });
    expect(await people.remove(id, 'roles', 'b', 1)).toBeNull();
    expect(await people.remove('nobody', 'roles', 'a', 0)).toBeNull();
  });

  test('concurrent adds never go over the maximum, concurrent removes never under the minimum', async () => {
    const people = await fresh();
    const { id } = await people.insert(person('ann'));
    const values = Array.from({ length: 20 }, (_, index) => `v${index}`);
    const added = await Promise.all(values.map((value) => people.add(id, 'roles', value, 5)));
    expect(added.filter((one) => one !== null)).toHaveLength(5);
    const { roles, version } = (await people.get(id)) as Person;
    expect(new Set(roles).size).toBe(5);
    expect(version).toBe(6);
    const removed = await Promise.all(roles.map((value) => people.remove(id, 'roles', value, 2)));
    expect(removed.filter((one) => one !== null)).toHaveLength(3);
    expect((await people.get(id))?.roles).toHaveLength(2);
  });
}

async function nextMillisecond(): Promise<void> {
  const now = Date.now();
  while (Date.now() === now) await new Promise((resolve) => setImmediate(resolve));
}
