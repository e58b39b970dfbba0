import { createHash, createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { assertSigned, assertTimely, readSignature, type Signature, signatureOf } from './signature.rules.ts';

const key = 'tg_key';
const now = 1_625_097_600_000;
const headers = {
  'x-request-timestamp': String(now),
  'x-request-nonce': 'abc123',
  'x-signature-version': 'v1',
  'x-signature': 'a'.repeat(64),
};
const request = { method: 'GET', path: '/api/status', body: Buffer.alloc(0) };
const refused = expect.objectContaining({ type: 'INVALID_SIGNATURE', code: 401 });
const hmac = (text: string) => createHmac('sha256', key).update(text).digest('hex');

describe('the headers of a signature', () => {
  test('are read as they stand', () => {
    expect(readSignature(headers)).toEqual({
      version: 'v1',
      timestamp: String(now),
      nonce: 'abc123',
      value: 'a'.repeat(64),
    });
    expect(readSignature({ 'x-request-nonce': 'abc123' })).toBeNull();
  });

  test.each([
    ['x-request-timestamp', undefined],
    ['x-request-timestamp', '1625097600'],
    ['x-request-timestamp', '01625097600000'],
    ['x-request-timestamp', '1625097600000.5'],
    ['x-request-nonce', undefined],
    ['x-request-nonce', ''],
    ['x-request-nonce', 'a b'],
    ['x-request-nonce', 'n'.repeat(129)],
    ['x-signature-version', undefined],
    ['x-signature-version', 'v3'],
    ['x-signature', ''],
    ['x-signature', 'A'.repeat(64)],
    ['x-signature', 'a'.repeat(63)],
  ])('%s cannot be %j', (name, value) => {
    expect(() => readSignature({ ...headers, [name]: value })).toThrow(refused);
  });
});

describe('the text that is signed', () => {
  const signature = { timestamp: String(now), nonce: 'abc123' };

  test('of v1 is METHOD + PATH + TIMESTAMP + NONCE', () => {
    const value = signatureOf(key, { ...request, body: Buffer.from('any') }, { ...signature, version: 'v1' });
    expect(value.toString('hex')).toBe(hmac('GET/api/status1625097600000abc123'));
  });

  test('of v2 goes on with a newline and the SHA-256 of the body', () => {
    const body = Buffer.from('{"event":"é"}');
    const value = signatureOf(key, { ...request, body }, { ...signature, version: 'v2' });
    const hash = createHash('sha256').update(body).digest('hex');
    expect(value.toString('hex')).toBe(hmac(`GET/api/status1625097600000abc123\n${hash}`));
  });
});

describe('a signature', () => {
  const good = (version: Signature['version'] = 'v1'): Signature => {
    const rest = { version, timestamp: String(now), nonce: 'abc123' };
    return { ...rest, value: signatureOf(key, request, rest).toString('hex') };
  };

  test('is good for what was signed, with the key', () => {
    for (const version of ['v1', 'v2'] as const) expect(() => assertSigned(key, request, good(version))).not.toThrow();
  });

  test.each([
    ['another key', 'tg_other', {}, {}],
    ['another method', key, { method: 'POST' }, {}],
    ['another path', key, { path: '/api/status/' }, {}],
    ['another time', key, {}, { timestamp: String(now + 1) }],
    ['another nonce', key, {}, { nonce: 'abc124' }],
    ['another version', key, {}, { version: 'v2' as const }],
  ])('is refused for %s', (_what, withKey, change, other) => {
    expect(() => assertSigned(withKey, { ...request, ...change }, { ...good(), ...other })).toThrow(refused);
  });

  test('of v2 is refused for another body, of v1 is not', () => {
    const other = { ...request, body: Buffer.from('{}') };
    expect(() => assertSigned(key, other, good('v2'))).toThrow(refused);
    expect(() => assertSigned(key, other, good('v1'))).not.toThrow();
  });

  test.each([
    [0, true],
    [300_000, true],
    [-300_000, true],
    [300_001, false],
    [-300_001, false],
  ])('made %i ms from now is timely: %s', (off, timely) => {
    const check = () => assertTimely(good(), now + off);
    if (timely) expect(check).not.toThrow();
    else expect(check).toThrow(refused);
  });
});
