import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { TooLarge } from './decoder.ts';
import { readPayload } from './payload.ts';

const schema = z.strictObject({ name: z.string().min(1), deep: z.json().optional() });
const refused = (argument: unknown, allowDollar = false) => {
  try {
    readPayload(schema, argument, allowDollar);
  } catch (error) {
    return error as { type: string; message: string };
  }
  throw new Error('it was taken');
};
const parsed = (text: string): unknown => JSON.parse(text);

describe('a payload', () => {
  test('that fits is taken', () => {
    expect(readPayload(schema, { name: 'a', deep: [{ b: 1 }] }, false)).toEqual({ name: 'a', deep: [{ b: 1 }] });
  });

  test.each([
    [undefined, 'Missing name.'],
    [null, 'Missing name.'],
    [{ name: '' }, 'Missing name.'],
    [{ name: 'a', more: 1 }, 'The key "more" is not allowed.'],
    [{ name: 'a', $x: 1 }, 'The key "$x" is not allowed.'],
    [parsed('{"name":"a","__proto__":{"admin":true}}'), 'The key "__proto__" is not allowed.'],
    [{ name: 'a', deep: [{ constructor: 1 }] }, 'The key "constructor" is not allowed.'],
    ['text', 'The payload is not an object.'],
    [[1], 'The payload is not an object.'],
    [Buffer.from('a'), 'The payload is not an object.'],
    [{ name: 'a', deep: Buffer.from('a') }, 'Binary data is not taken.'],
  ])('like %j is refused', (argument, message) => {
    expect(refused(argument)).toMatchObject({ type: 'INVALID_REQUEST', message });
  });

  test('may hold keys that begin with $ where they are allowed, but not at its top', () => {
    expect(readPayload(schema, { name: 'a', deep: { $b: 1 } }, true)).toEqual({ name: 'a', deep: { $b: 1 } });
    expect(refused({ name: 'a', $b: 1 }, true).message).toBe('The key "$b" is not allowed.');
  });

  test('that was too large to be read is refused as that', () => {
    expect(refused(new TooLarge({ name: 'a' })).type).toBe('PAYLOAD_TOO_LARGE');
  });

  test('that nests too deeply is refused', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100; level++) deep = [deep];
    expect(refused({ name: 'a', deep }).type).toBe('INVALID_REQUEST');
  });
});
