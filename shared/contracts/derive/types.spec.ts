import { describe, expect, test } from '@jest/globals';
import { typeOf } from './types.ts';

describe('a JSON Schema as a type', () => {
  test.each([
    [{ type: 'integer', minimum: 1 }, 'number'],
    [{ type: ['string', 'null'] }, 'string | null'],
    [{ type: 'string', enum: ['a', "it's"] }, "'a' | 'it\\'s'"],
    [{ const: true }, 'true'],
    [{ anyOf: [{ type: 'string', const: '' }, { type: 'string', maxLength: 3 }, { type: 'null' }] }, 'string | null'],
    [{ type: 'array', items: { type: ['string', 'null'] } }, 'Array<string | null>'],
    [{ $ref: '#/components/schemas/camerasRecord' }, 'CamerasRecord'],
    [{ type: 'object', additionalProperties: {} }, '{ [key: string]: unknown }'],
    [{ type: 'object', properties: {}, additionalProperties: false }, '{ [key: string]: never }'],
    [{}, 'unknown'],
  ])('%j is %s', (schema, type) => {
    expect(typeOf(schema)).toBe(type);
  });

  test('has its keys, quoted where needed, and says which may be missing', () => {
    const schema = {
      type: 'object',
      required: ['a-b'],
      properties: { 'a-b': { type: 'null' }, c: { type: 'boolean' } },
    };
    expect(typeOf({ type: 'array', items: schema })).toBe("Array<{\n  'a-b': null;\n  c?: boolean;\n}>");
  });

  test('is refused where it is not known, in place of being anything', () => {
    expect(() => typeOf({ type: 'array', items: { not: {} } })).toThrow('no type for {"not":{}}');
    expect(() => typeOf({ allOf: [] })).toThrow('no type for');
  });
});
