import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { contracts } from '../index.ts';
import { service } from '../kernel.ts';
import { schemaBook } from './schemas.ts';

/** Every schema of every contract, internal ones too, by a name. */
const all: [string, z.ZodType][] = contracts.flatMap(({ modules, ...rest }) => [
  ...Object.entries(modules).flatMap(([module, { actions }]) =>
    Object.entries(actions).flatMap(([command, contract]) => {
      const { payload, result } = contract as { payload?: z.ZodType; result: z.ZodType | null };
      const named: [string, z.ZodType | null | undefined][] = [
        [`${module}.${command} payload`, payload],
        [`${module}.${command} result`, result],
      ];
      return named.filter((entry): entry is [string, z.ZodType] => Boolean(entry[1]));
    }),
  ),
  ...Object.entries('events' in rest ? rest.events : {}).flatMap(([domain, events]) =>
    Object.entries(events as Record<string, { details: z.ZodType }>).map(([name, { details }]): [string, z.ZodType] => [
      `${domain} ${name} details`,
      details,
    ]),
  ),
]);

test('there are schemas to look at', () => {
  expect(all.length).toBeGreaterThan(80);
});

test.each(all)('JSON Schema can say %s', (_name, schema) => {
  for (const io of ['input', 'output'] as const) {
    for (const target of ['draft-2020-12', 'draft-7'] as const) {
      expect(z.toJSONSchema(schema, { io, target, unrepresentable: 'throw' })).toHaveProperty('$schema');
    }
  }
});

describe('a schema book', () => {
  const item = z.object({ id: z.string(), at: z.iso.datetime() });
  const nested = z.object({
    get children() {
      return z.array(nested);
    },
  });
  const book = schemaBook(
    [
      service({
        service: 's',
        modules: {
          'my-things': {
            summary: 's',
            actions: { list: { summary: 's', access: 'user', result: z.object({ items: z.array(item) }) } },
          },
        },
      }),
    ],
    'draft-2020-12',
  );

  test('writes a record once, under its name, and refers to it', () => {
    expect(book.output('any', item)).toEqual({ $ref: '#/components/schemas/myThingsRecord' });
    expect(book.output('pair', z.object({ a: item, b: item }))).toEqual({ $ref: '#/components/schemas/pair' });
    expect(book.schemas.pair).toMatchObject({
      properties: {
        a: { $ref: '#/components/schemas/myThingsRecord' },
        b: { $ref: '#/components/schemas/myThingsRecord' },
      },
    });
    expect(book.schemas.myThingsRecord).toEqual({
      type: 'object',
      properties: { id: { type: 'string' }, at: { type: 'string', format: 'date-time' } },
      required: ['id', 'at'],
    });
  });

  test('refers to a schema from within itself, and keeps recursive parts apart', () => {
    book.output('tree', nested);
    expect(JSON.stringify(book.schemas.tree)).toContain('"$ref":"#/components/schemas/tree"');
    book.input('first', z.object({ value: z.json() }));
    book.input('second', z.object({ value: z.json() }));
    expect(JSON.stringify(book.schemas.firstPart0)).toContain('#/components/schemas/firstPart0');
    expect(JSON.stringify(book.schemas.secondPart0)).toContain('#/components/schemas/secondPart0');
  });

  test('payloads are closed, results are open', () => {
    book.input('closed', z.strictObject({ a: z.int() }));
    expect(book.schemas.closed).toMatchObject({ additionalProperties: false });
    expect(book.schemas.myThingsRecord).not.toHaveProperty('additionalProperties');
  });

  test('what JSON Schema cannot say is an error', () => {
    expect(() => book.output('date', z.object({ at: z.date() }))).toThrow('cannot be represented');
  });
});
