import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Failure } from '../../shared/contracts/index.ts';
import { assertSafeKeys, decodeJson, maxMessageBytes, parseJson } from './safe-json.ts';

const failureOf = (run: () => unknown): Failure => {
  try {
    run();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('parseJson', () => {
  test('reads text and bytes alike, with or without a byte order mark', () => {
    expect(parseJson('{"a":[1,{"b":null}]}')).toEqual({ a: [1, { b: null }] });
    expect(parseJson(Buffer.from('{"a":"ü"}'))).toEqual({ a: 'ü' });
    expect(parseJson(Buffer.from('\ufeff{"a":1}'))).toEqual({ a: 1 });
  });

  test.each(['__proto__', 'constructor', 'prototype', '$where'])(
    'refuses the key %s at any depth and names it',
    (key) => {
      for (const text of [
        `{"${key}":1}`,
        `{"payload":{"list":[{"${key}":{"role":"admin"}}]}}`,
        `[[{"${key}":null}]]`,
      ]) {
        const failure = failureOf(() => parseJson(text));
        expect(failure.type).toBe('INVALID_REQUEST');
        expect(failure.message).toContain(`"${key}"`);
        expect(failure.data.details?.[0]?.path.at(-1)).toBe(key);
      }
    },
  );

  test('refuses a forbidden key that is written with escapes', () => {
    expect(failureOf(() => parseJson('{"\\u005f\\u005fproto__":1}')).message).toContain('"__proto__"');
  });

  test('says where the key lies', () => {
    const failure = failureOf(() => parseJson('{"payload":{"fine":1,"list":[0,{"constructor":1}]}}'));
    expect(failure.data.details).toEqual([
      { message: 'The key "constructor" is not allowed', path: ['payload', 'list', 1, 'constructor'] },
    ]);
  });

  test('lets a forbidden word be a value', () => {
    expect(parseJson('{"name":"__proto__","list":["constructor","$where"]}')).toBeTruthy();
  });

  test('lets a dollar key pass only where the caller allows it', () => {
    expect(parseJson('{"$set":1}', { allowDollar: true })).toEqual({ $set: 1 });
    expect(failureOf(() => parseJson('{"__proto__":1}', { allowDollar: true })).type).toBe('INVALID_REQUEST');
  });

  test('pollutes no prototype on the way', () => {
    failureOf(() => parseJson('{"__proto__":{"polluted":true}}'));
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test.each(['', '{', 'undefined', '{"a":1}x', "{'a':1}", '\u0000'])('refuses %j without quoting it', (text) => {
    const failure = failureOf(() => parseJson(text));
    expect(failure.type).toBe('INVALID_REQUEST');
    expect(failure.message).toBe('The request is not JSON');
  });

  test('refuses bytes that are not UTF-8', () => {
    expect(failureOf(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))).type).toBe('INVALID_REQUEST');
  });

  test('refuses more than 1 MB, counted in bytes', () => {
    const fits = `"${'a'.repeat(maxMessageBytes - 2)}"`;
    expect(decodeJson(fits)).toHaveLength(maxMessageBytes - 2);
    expect(failureOf(() => parseJson(`${fits} `)).type).toBe('PAYLOAD_TOO_LARGE');
    expect(failureOf(() => parseJson(`"${'ü'.repeat(maxMessageBytes / 2)}"`)).type).toBe('PAYLOAD_TOO_LARGE');
  });

  test('refuses data deeper than 64 levels and survives a million', () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect(parseJson(nested(64))).toBeTruthy();
    expect(failureOf(() => parseJson(nested(65))).message).toContain('64');
    expect(failureOf(() => parseJson(nested(500_000))).type).toBe('INVALID_REQUEST');
  });

  test('throws nothing but failures, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.uint8Array()), (input) => {
        try {
          parseJson(typeof input === 'string' ? input : Buffer.from(input));
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
      { numRuns: 500 },
    );
  });
});

test('assertSafeKeys finds an own forbidden key wherever it is put into data that is fine', () => {
  const key = fc.constantFrom('__proto__', 'constructor', 'prototype', '$ne');
  const plain = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 0), { maxLength: 20 }), key, plain, (path, bad, value) => {
      const leaf: unknown = Object.defineProperty({}, bad, { value, enumerable: true });
      const data = path.reduceRight((inner: unknown, step) => (step === 0 ? [inner] : { [step]: inner }), leaf);
      expect(failureOf(() => assertSafeKeys(data)).message).toContain(bad);
    }),
    { numRuns: 200 },
  );
});

test('refuses binary data, which Socket.IO carries and JSON does not', () => {
  for (const data of [Buffer.from('a'), new Uint8Array(1), new ArrayBuffer(1)]) {
    expect(failureOf(() => assertSafeKeys({ a: [data] }))).toMatchObject({
      type: 'INVALID_REQUEST',
      data: { details: [{ path: ['a', 0] }] },
    });
  }
});
