import { describe, expect, test } from '@jest/globals';
import type { Principal } from '../../shared/runtime/principal.ts';
import { assertMayChange, assertMayRead, assertNotSelf, endsTokens, isAdministrator } from './users.rules.ts';
import type { User } from './users.store.ts';

const person = (id: string, ...roles: ('admin' | 'user')[]): Principal => ({
  kind: 'user',
  id,
  username: id,
  email: null,
  roles,
});
const admin = person('a', 'admin', 'user');
const user = person('u', 'user');
const record = { id: 'u', roles: ['admin', 'user'], can_login: true, passwordHash: 'x' } as User;
const forbidden = expect.objectContaining({ type: 'FORBIDDEN' });

describe('who may change a user', () => {
  test('a user reads and changes the own password and email', () => {
    expect(() => assertMayRead(user, 'u')).not.toThrow();
    expect(() => assertMayChange(user, 'u', ['password', 'email'])).not.toThrow();
  });

  test.each(['roles', 'can_login', 'username'])('a user cannot change the own %s', (key) => {
    expect(() => assertMayChange(user, 'u', ['email', key])).toThrow(forbidden);
  });

  test('a user neither reads nor changes another one, an administrator does both', () => {
    expect(() => assertMayRead(user, 'v')).toThrow(forbidden);
    expect(() => assertMayChange(user, 'v', ['email'])).toThrow(forbidden);
    expect(() => assertMayRead(admin, 'v')).not.toThrow();
    expect(() => assertMayChange(admin, 'v', ['roles'])).not.toThrow();
  });

  test('an API key with the role user is nobody, even where its id is a user id', () => {
    expect(() => assertMayChange({ ...user, kind: 'key' }, 'u', ['password'])).toThrow(forbidden);
  });

  test('nobody locks themselves out, but may send the value that is there', () => {
    expect(() => assertNotSelf(user, record, { can_login: false })).toThrow(forbidden);
    expect(() => assertNotSelf(user, record, { can_login: true })).not.toThrow();
    expect(() => assertNotSelf(admin, record, { can_login: false })).not.toThrow();
  });
});

describe('what ends the tokens of a user', () => {
  test.each([
    ['a new password', { passwordHash: 'y' }, true],
    ['losing the ability to log in', { can_login: false }, true],
    ['losing a role', { roles: ['user'] }, true],
    ['a new email', { email: 'a@b.c' }, false],
    ['the same roles', { roles: ['user', 'admin'] }, false],
  ] as [string, Partial<User>, boolean][])('%s', (_what, patch, ends) => {
    expect(endsTokens(record, patch)).toBe(ends);
  });
});

test('an administrator is who has the role and can log in', () => {
  expect(isAdministrator({ roles: ['admin'], can_login: true })).toBe(true);
  expect(isAdministrator({ roles: ['admin'], can_login: false })).toBe(false);
  expect(isAdministrator({ roles: ['user'], can_login: true })).toBe(false);
});
