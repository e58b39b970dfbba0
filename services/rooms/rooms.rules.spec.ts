import { describe, expect, test } from '@jest/globals';
import type { Principal } from '../../shared/runtime/principal.ts';
import { assertJoinable, assertMayChange, hearersOf, maySee } from './rooms.rules.ts';
import type { Room } from './rooms.store.ts';

const person = (id: string, ...roles: ('admin' | 'user')[]): Principal => ({
  kind: 'user',
  id,
  username: id,
  email: null,
  roles,
});
const maker = person('maker', 'user');
const member = person('member', 'user');
const stranger = person('stranger', 'user');
const admin = person('admin', 'admin');
const hidden = { private: true, owner: 'maker', members: ['member'] } as Room;
const open = { ...hidden, private: false } as Room;
const forbidden = expect.objectContaining({ type: 'FORBIDDEN' });

describe('a private room', () => {
  test.each([
    [maker, true],
    [member, true],
    [admin, true],
    [stranger, false],
  ])('%j sees it: %s', (principal, sees) => {
    expect(maySee(principal, hidden)).toBe(sees);
  });

  test('is heard of by its maker and members, an open one by everybody', () => {
    expect(hearersOf(hidden)).toEqual(['maker', 'member']);
    expect(hearersOf(open)).toBeNull();
  });
});

test('a room is changed by its maker and administrators only', () => {
  expect(() => assertMayChange(maker, open)).not.toThrow();
  expect(() => assertMayChange(admin, hidden)).not.toThrow();
  expect(() => assertMayChange(member, open)).toThrow(forbidden);
});

describe('names that stand for something else', () => {
  test.each(['user:1', 'role:admin', 'me'])('%s is nobody’s to join', (name) => {
    expect(() => assertJoinable(admin, name)).toThrow(forbidden);
  });

  test('a role is joined by who has it', () => {
    expect(() => assertJoinable(stranger, 'admin')).toThrow(forbidden);
    expect(() => assertJoinable(admin, 'admin')).not.toThrow();
    expect(() => assertJoinable(stranger, 'lobby')).not.toThrow();
  });
});
