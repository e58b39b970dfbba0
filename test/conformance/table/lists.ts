import { expect } from '@jest/globals';
import { bad, type Case, good } from '../case.ts';
import type { Asker, Stage } from '../stage.ts';

export interface ListOf {
  module: string;
  as: Asker;
  /** A key it can be sorted by, and how a record with that value is made. */
  key: string;
  make(stage: Stage, value: string): Promise<unknown>;
  /** Whether a search finds the middle of a value too. */
  contains: boolean;
  /** Another key it can be sorted by. */
  other: string;
}

interface Page {
  items: Record<string, unknown>[];
  total: number;
  page: number;
  itemsPerPage: number;
}

/** Bounds, order, pages and search are the same whatever is listed. */
export function listCases({ module, as, key, make, contains, other }: ListOf): Case[] {
  const command = `${module}.list`;
  const makeThree = async (stage: Stage) => {
    const start = stage.unique('list');
    for (const end of ['b', 'c', 'a']) await make(stage, `${start}-${end}`);
    return start;
  };
  const three = (stage: Stage) => stage.shared(`three ${module}`, () => makeThree(stage));
  const values = ({ items }: Page) => items.map((item) => String(item[key]).slice(-2));
  const sorted = (order: 'asc' | 'desc') => (start: string) => ({
    payload: { search: start, sortBy: [{ key, order }] },
  });
  const refuse = (what: string, payload: object) => bad(command, what, 'INVALID_REQUEST', as, () => ({ payload }));
  const makePattern = async (stage: Stage) => {
    const value = stage.unique('f.*[x](y|z)$');
    await make(stage, value);
    return value;
  };
  const found = (text: string) => async (stage: Stage) => {
    const value = await stage.shared(`pattern ${module}`, () => makePattern(stage));
    return { payload: { search: text === '' ? value : text } };
  };

  return [
    good<Page>(
      command,
      'ascending',
      as,
      async (stage) => sorted('asc')(await three(stage)),
      (page) => {
        expect(values(page)).toEqual(['-a', '-b', '-c']);
        expect(page).toMatchObject({ total: 3, page: 1, itemsPerPage: 10 });
      },
    ),
    good<Page>(
      command,
      'descending',
      as,
      async (stage) => sorted('desc')(await three(stage)),
      (page) => {
        expect(values(page)).toEqual(['-c', '-b', '-a']);
      },
    ),
    good<Page>(
      command,
      'newest first where nothing is said',
      as,
      async (stage) => ({ payload: { search: await three(stage) } }),
      (page) => {
        const made = page.items.map((item) => String(item.createdAt));
        expect(made).toEqual([...made].sort().reverse());
      },
    ),
    good<Page>(
      command,
      'the second page of two',
      as,
      async (stage) => {
        return { payload: { search: await three(stage), itemsPerPage: 2, page: 2, sortBy: [{ key }] } };
      },
      (page) => {
        expect(values(page)).toEqual(['-c']);
        expect(page).toMatchObject({ total: 3, page: 2, itemsPerPage: 2 });
      },
    ),
    good<Page>(
      command,
      'a page after the last',
      as,
      async (stage) => {
        return { payload: { search: await three(stage), page: 10_000, itemsPerPage: 100 } };
      },
      ({ items, total }) => expect([items, total]).toEqual([[], 3]),
    ),
    good<Page>(command, 'by text that looks like a pattern', as, found(''), (page) => expect(page.total).toBe(1)),
    good<Page>(command, 'never takes a search for a pattern', as, found('f.*'), (page) => {
      expect(page.items.every((item) => String(item[key]).includes('f.*'))).toBe(true);
    }),
    good<Page>(command, 'by a pattern that matches everything finds nothing', as, found('.*.*.*'), (page) => {
      expect(page.total).toBe(0);
    }),
    good<Page>(
      command,
      contains ? 'finds the middle of a value' : 'finds the start of a value only',
      as,
      async (stage) => {
        return { payload: { search: (await three(stage)).slice(1) } };
      },
      (page) => expect(page.total).toBe(contains ? 3 : 0),
    ),
    good<Page>(
      command,
      'without anything',
      as,
      () => ({}),
      (page) => {
        expect(page).toMatchObject({ page: 1, itemsPerPage: 10 });
        expect(page.items.length).toBeLessThanOrEqual(10);
      },
    ),
    refuse('with no items per page', { itemsPerPage: 0 }),
    refuse('with 101 items per page', { itemsPerPage: 101 }),
    refuse('with half an item per page', { itemsPerPage: 1.5 }),
    refuse('of page 0', { page: 0 }),
    refuse('of page 10,001', { page: 10_001 }),
    refuse('by a key that is not sortable', { sortBy: [{ key: 'passwordHash', order: 'asc' }] }),
    refuse('in an order that is none', { sortBy: [{ key, order: 'up' }] }),
    refuse('by four keys', { sortBy: [{ key }, { key: other }, { key }, { key: other }] }),
    refuse('with a key of a sort that is unknown', { sortBy: [{ key, order: 'asc', by: 'x' }] }),
    refuse('for 256 characters', { search: 's'.repeat(256) }),
  ];
}
