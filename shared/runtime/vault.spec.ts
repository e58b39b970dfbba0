import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { VaultError, vault } from './vault.ts';

const old = { id: 'old', key: randomBytes(32) };
const fresh = { id: 'new-1', key: randomBytes(32) };
const place = 'credentials/1/tokens';

function reason(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    expect(error).toBeInstanceOf(VaultError);
    return (error as VaultError).reason;
  }
  return 'opened';
}

test('any text opens again where it was sealed', () => {
  const { seal, open } = vault([old]);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, context) => {
      expect(open(seal(text, context), context)).toBe(text);
    }),
  );
});

test('the same text is never sealed alike, nor readable', () => {
  const { seal } = vault([old]);
  const sealed = Array.from({ length: 50 }, () => seal('hush hush', place));
  expect(new Set(sealed).size).toBe(50);
  expect(sealed[0]).toMatch(/^v1\.old\.[\w-]{16}\.[\w-]+$/);
  for (const text of sealed)
    expect(Buffer.from(text.split('.')[3] ?? '', 'base64url').toString()).not.toContain('hush');
});

describe('keys rotate', () => {
  const before = vault([old]).seal('text', place);
  const after = vault([fresh, old]);

  test('the first seals, all open', () => {
    expect(after.open(before, place)).toBe('text');
    expect(after.seal('text', place)).toMatch(/^v1\.new-1\./);
  });

  test('what another key sealed is sealed anew, what the first one sealed is left alone', () => {
    const anew = after.reseal(before, place) as string;
    expect(anew).toMatch(/^v1\.new-1\./);
    expect(vault([fresh]).open(anew, place)).toBe('text');
    expect(after.reseal(anew, place)).toBeNull();
    expect(reason(() => after.reseal(before, 'elsewhere'))).toBe('tampered');
    expect(reason(() => vault([fresh]).reseal(before, place))).toBe('unknown-key');
  });

  test('a key that was taken away is named', () => {
    expect(() => vault([fresh]).open(before, place)).toThrow('sealed with the key old, which is not configured');
    expect(reason(() => vault([fresh]).open(before, place))).toBe('unknown-key');
  });

  test('another key under the same id does not open', () => {
    expect(reason(() => vault([{ id: 'old', key: randomBytes(32) }]).open(before, place))).toBe('tampered');
  });

  test('a key id cannot be exchanged for that of another key with the same bytes', () => {
    const twins = vault([old, { id: 'twin', key: old.key }]);
    expect(reason(() => twins.open(before.replace('.old.', '.twin.'), place))).toBe('tampered');
  });
});

test('a sealed text does not open in another place', () => {
  const { seal, open } = vault([old]);
  expect(reason(() => open(seal('text', place), 'credentials/2/tokens'))).toBe('tampered');
});

test('no byte of nonce, tag or ciphertext can be changed', () => {
  const { seal, open } = vault([old]);
  const parts = seal('text', place).split('.');
  for (const part of [2, 3]) {
    const bytes = Buffer.from(parts[part] ?? '', 'base64url');
    for (let index = 0; index < bytes.length; index += 1) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      const sealed = parts.with(part, changed.toString('base64url')).join('.');
      expect(reason(() => open(sealed, place))).toBe('tampered');
    }
  }
});

test('what was never sealed is told apart', () => {
  const { open } = vault([old]);
  for (const text of [
    '',
    'plain',
    'v2.old.AAAAAAAAAAAAAAAA.AAAA',
    'v1.old.AAAA.AAAA',
    'v1.old.AAAAAAAAAAAAAAAA.AAAA',
  ]) {
    expect(reason(() => open(text, place))).toBe('malformed');
  }
});

test('a vault is not made of unfit keys', () => {
  expect(() => vault([])).toThrow('needs a key');
  expect(() => vault([{ id: 'a', key: randomBytes(16) }])).toThrow('does not fit');
  expect(() => vault([{ id: 'a.b', key: randomBytes(32) }])).toThrow('does not fit');
  expect(() => vault([old, { id: 'old', key: randomBytes(32) }])).toThrow('same id');
});
