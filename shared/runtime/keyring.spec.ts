import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { keyring } from './keyring.ts';

const secret = 'a secret of more than sixteen characters';
const key = {
  rsa: { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), alg: 'RS256' },
  ec: { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), alg: 'ES256' },
  ed: { ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }), alg: 'EdDSA' },
};

function keysFile(...keys: object[]): { keysFile: string } {
  const file = join(mkdtempSync(join(tmpdir(), 'trigate-keys-')), 'keys.json');
  writeFileSync(file, JSON.stringify({ keys }));
  return { keysFile: file };
}

describe('a shared secret', () => {
  const ring = keyring({ secret });

  test('signs what it verifies', async () => {
    const claims = await ring.verify(await ring.sign({ sub: '7' }, 60));
    expect(claims.sub).toBe('7');
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(60);
    expect(ring.jwks().keys).toEqual([]);
  });

  test.each([
    ['of another secret', jwt.sign({ sub: '7' }, 'another secret of sixteen')],
    ['without a signature', jwt.sign({ sub: '7' }, '', { algorithm: 'none' })],
    ['of another algorithm', jwt.sign({ sub: '7' }, secret, { algorithm: 'HS512' })],
    ['that has expired', jwt.sign({ sub: '7' }, secret, { expiresIn: -1 })],
    ['that is no token', 'x'],
    ['that is too long', `${'x'.repeat(9_000)}`],
  ])('refuses a token %s', async (_what, token) => {
    await expect(ring.verify(token)).rejects.toThrow();
  });

  test('takes a token that others made with it, whatever its kid', async () => {
    const token = jwt.sign({ userId: 'user-123' }, secret, { keyid: 'theirs' });
    expect((await ring.verify(token)).userId).toBe('user-123');
  });
});

describe('a set of keys', () => {
  test.each(Object.entries(key))('%s: signs what it verifies, and shows its public half only', async (kid, jwk) => {
    const ring = keyring(keysFile({ ...jwk, kid }));
    const token = await ring.sign({ sub: '7' }, 60);
    expect((await ring.verify(token)).sub).toBe('7');
    expect(jwt.decode(token, { complete: true })?.header).toMatchObject({ alg: jwk.alg, kid });
    expect(ring.jwks().keys).toEqual([expect.objectContaining({ kid, alg: jwk.alg, use: 'sig' })]);
    expect(ring.jwks().keys[0]).not.toHaveProperty('d');
  });

  test('rotates: the first signs, all verify, and a key that was taken out no longer does', async () => {
    const older = keyring(keysFile({ ...key.rsa, kid: 'old' }));
    const both = keyring(keysFile({ ...key.ec, kid: 'new' }, { ...key.rsa, kid: 'old' }));
    const newer = keyring(keysFile({ ...key.ec, kid: 'new' }));
    const token = await older.sign({ sub: '7' }, 60);
    expect((await both.verify(token)).sub).toBe('7');
    await expect(newer.verify(token)).rejects.toThrow();
    expect((await newer.verify(await both.sign({ sub: '8' }, 60))).sub).toBe('8');
  });

  test('does not take a public key for a shared secret', async () => {
    const ring = keyring(keysFile({ ...key.rsa, kid: 'a' }));
    const publicHalf = JSON.stringify(ring.jwks().keys[0]);
    await expect(ring.verify(jwt.sign({ sub: '7' }, publicHalf, { keyid: 'a' }))).rejects.toThrow();
  });

  test.each([
    ['no kid', [key.rsa], /no kid/],
    ['no alg', [{ ...key.rsa, alg: undefined, kid: 'a' }], /alg/],
    ['no private half', [{ ...key.rsa, d: undefined, kid: 'a' }], /private/],
    ['no keys', [], /JWK set/],
  ])('is refused with %s, in one line', (_what, keys, message) => {
    expect(() => keyring(keysFile(...keys))).toThrow(message);
  });
});
