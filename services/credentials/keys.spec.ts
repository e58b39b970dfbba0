import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { vault } from '../../shared/runtime/vault.ts';
import { type Credentials, noTokens } from './credentials.store.ts';
import { sealedParts } from './keys.ts';

const parts = sealedParts(vault([{ id: 'a', key: randomBytes(32) }]));
const other = sealedParts(vault([{ id: 'b', key: randomBytes(32) }]));
const id = 'c1';
const tokens = { accessToken: 'a', refreshToken: 'r', scope: 's' };
const record = {
  id,
  sealedClientId: parts.seal(id, 'sealedClientId', 'client'),
  sealedClientSecret: parts.seal(id, 'sealedClientSecret', 'secret'),
  sealedProjectId: parts.seal(id, 'sealedProjectId', 'project'),
  ...noTokens,
  sealedTokens: parts.sealTokens(id, tokens),
} as unknown as Credentials;

test('what was sealed opens in its place', () => {
  expect([parts.client(record), parts.project(record), parts.tokens(record)]).toEqual([
    { clientId: 'client', clientSecret: 'secret' },
    'project',
    tokens,
  ]);
  expect(parts.project({ ...record, sealedProjectId: null })).toBeNull();
  expect(() => parts.tokens({ ...record, id: 'c2' })).toThrow(expect.objectContaining({ reason: 'tampered' }));
});

test('a project that does not open is no project one can still be bound to', () => {
  expect([parts.isProject(record, 'project'), parts.isProject(record, 'another')]).toEqual([true, false]);
  expect(() => other.project(record)).toThrow(expect.objectContaining({ reason: 'unknown-key' }));
  expect(other.isProject(record, 'project')).toBe(false);
});
