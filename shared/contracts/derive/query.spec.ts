import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import qs from 'qs';
import { z } from 'zod';
import { listQuery } from '../fields.ts';
import { contracts } from '../index.ts';
import { publicCommands } from './names.ts';
import { queryPayload } from './query.ts';

const list = listQuery(['createdAt', 'name']);
const read = (schema: z.ZodObject, text: string) => queryPayload(schema, qs.parse(text));

describe('the query of a list', () => {
  test('numbers are numbers and texts stay texts', () => {
    expect(read(list, 'page=2&itemsPerPage=50&search=7')).toEqual({ page: 2, itemsPerPage: 50, search: '7' });
  });

  test('sortBy comes in brackets or as JSON', () => {
    const sortBy = [{ key: 'name', order: 'desc' }];
    expect(read(list, 'sortBy[0][key]=name&sortBy[0][order]=desc')).toEqual({ sortBy });
    expect(read(list, `sortBy=${encodeURIComponent(JSON.stringify(sortBy))}`)).toEqual({ sortBy });
  });

  test('what is out of range is a number all the same, for validation to say so', () => {
    expect(read(list, 'itemsPerPage=500')).toEqual({ itemsPerPage: 500 });
  });

  test('the word null is null, as browsers spell it', () => {
    expect(read(list, 'search=null')).toEqual({ search: null });
  });

  test('unknown keys and what does not fit stay as they came', () => {
    const query = { page: 'two', itemsPerPage: ['1', '2'], sortBy: '[{', filter: '1' };
    expect(queryPayload(list, query)).toEqual(query);
    expect(list.safeParse(queryPayload(list, query)).success).toBe(false);
  });
});

test.each(['', ' 1', '1 ', '0x10', '01', '+1', '1e999', 'Infinity', 'NaN', '1_0'])(
  '%j is not read as a number',
  (text) => {
    expect(queryPayload(z.strictObject({ n: z.number() }), { n: text })).toEqual({ n: text });
  },
);

test('every kind of schema is looked through', () => {
  const schema = z.strictObject({
    flag: z.boolean().default(false),
    off: z.boolean().optional(),
    ratio: z.number().nullable().optional(),
    none: z.int().nullable(),
    three: z.union([z.literal(3), z.literal('three')]),
    either: z.union([z.int(), z.string()]),
    level: z.literal([1, 2]),
    tags: z.array(z.int()).readonly(),
    by: z.record(z.string(), z.boolean()),
    deep: z.object({ size: z.object({ w: z.int() }) }),
    free: z.unknown(),
    json: z.json(),
  });
  const text =
    'flag=true&off=false&ratio=-1.5e3&none=null&three=3&either=4&level=2&tags[]=1&tags[]=2' +
    '&by[a]=true&by[b]=no&deep[size][w]=1&free=1&json=1';
  expect(read(schema, text)).toEqual({
    flag: true,
    off: false,
    ratio: -1500,
    none: null,
    three: 3,
    either: 4,
    level: 2,
    tags: [1, 2],
    by: { a: true, b: 'no' },
    deep: { size: { w: 1 } },
    free: '1',
    json: '1',
  });
  expect(queryPayload(schema, { tags: '[1,"2"]', deep: ' {"size":{"w":1}}' })).toEqual({
    tags: [1, '2'],
    deep: { size: { w: 1 } },
  });
});

test('a key named __proto__ stays a key and changes no prototype', () => {
  const schema = z.strictObject({ deep: z.record(z.string(), z.int()) });
  const query = JSON.parse('{"__proto__":{"role":"admin"},"deep":{"__proto__":"1"}}');
  const payload = queryPayload(schema, query);
  expect(Object.keys(payload)).toEqual(['__proto__', 'deep']);
  expect(payload.role).toBeUndefined();
  expect(JSON.stringify(payload)).toBe('{"__proto__":{"role":"admin"},"deep":{"__proto__":1}}');
});

test('a schema that contains itself ends the walk', () => {
  const node = z.strictObject({
    n: z.int(),
    get next() {
      return node.optional();
    },
  });
  let query: Record<string, unknown> = { n: '1' };
  for (let index = 0; index < 10_000; index += 1) query = { n: '1', next: query };
  expect(queryPayload(node, query)).toMatchObject({ n: 1, next: { n: 1, next: { n: 1 } } });
});

test('a text too long to be a query is not parsed', () => {
  const text = `[${'1,'.repeat(10_000)}1]`;
  expect(queryPayload(z.strictObject({ a: z.array(z.int()) }), { a: text })).toEqual({ a: text });
});

test('what a payload says in texts is what validation then sees, for every contract', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('1', 'true', 'null', '[]', '{}', '[{"key":"name"}]'));
  for (const { contract } of publicCommands(contracts)) {
    const { payload } = contract;
    if (!payload) continue;
    const keys = fc.constantFrom(...Object.keys(payload.shape), 'other');
    fc.assert(
      fc.property(fc.dictionary(keys, fc.oneof(text, fc.array(text))), (query) => {
        const before = structuredClone(query);
        const converted = queryPayload(payload, query);
        expect(query).toEqual(before);
        expect(Object.keys(converted)).toEqual(Object.keys(query));
        payload.safeParse(converted);
      }),
      { numRuns: 50 },
    );
  }
});
