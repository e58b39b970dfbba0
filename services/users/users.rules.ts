import { Failure } from '../../shared/contracts/index.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { User } from './users.store.ts';

export const isAdmin = (principal: Principal): boolean => principal.roles.includes('admin');
export const isAdministrator = (user: Pick<User, 'roles' | 'can_login'>): boolean =>
  user.roles.includes('admin') && user.can_login;

/** What a user who is no administrator may change of the own record. */
const ownKeys = new Set(['password', 'email']);

/** @throws Failure FORBIDDEN */
export function assertMayRead(principal: Principal, id: string): void {
  if (!isAdmin(principal) && principal.id !== id) throw new Failure('FORBIDDEN');
}

/** @throws Failure FORBIDDEN */
export function assertMayChange(principal: Principal, id: string, keys: readonly string[]): void {
  if (isAdmin(principal)) return;
  if (principal.kind !== 'user' || principal.id !== id) throw new Failure('FORBIDDEN');
  const foreign = keys.find((key) => !ownKeys.has(key));
  if (foreign) throw new Failure('FORBIDDEN', `Only an administrator can change ${foreign}`);
}

/** Whoever locks themselves out cannot undo it. @throws Failure FORBIDDEN */
export function assertNotSelf(principal: Principal, before: User, after: Partial<User>): void {
  if (principal.id === before.id && after.can_login !== undefined && after.can_login !== before.can_login) {
    throw new Failure('FORBIDDEN', 'Nobody can change the own ability to log in');
  }
}

/** Whether tokens given out before this change must end: they stand for a password or rights that are gone. */
export const endsTokens = (before: User, after: Partial<User>): boolean =>
  after.passwordHash !== undefined ||
  (after.can_login === false && before.can_login) ||
  (after.roles !== undefined && before.roles.some((role) => !after.roles?.includes(role)));
