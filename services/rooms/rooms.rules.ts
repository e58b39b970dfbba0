import { isRole } from '../../shared/contracts/fields.ts';
import { Failure } from '../../shared/contracts/index.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { Room } from './rooms.store.ts';

export const maxMembers = 1_000;
/** Messages a room keeps; older ones are dropped. */
export const maxHistory = 1_000;

const isAdmin = (principal: Principal) => principal.roles.includes('admin');

/** A private room is its members', its maker's and administrators'. */
export const maySee = (principal: Principal, room: Pick<Room, 'private' | 'members' | 'owner'>): boolean =>
  !room.private || isAdmin(principal) || room.owner === principal.id || room.members.includes(principal.id);

/** @throws Failure FORBIDDEN */
export function assertMaySee(principal: Principal, room: Room): void {
  if (!maySee(principal, room)) throw new Failure('FORBIDDEN', 'This room is private');
}

/** @throws Failure FORBIDDEN */
export function assertMayChange(principal: Principal, room: Room): void {
  assertMaySee(principal, room);
  if (!isAdmin(principal) && room.owner !== principal.id) {
    throw new Failure('FORBIDDEN', 'Only its maker and administrators can change a room');
  }
}

/** Where messages to no room are kept: `me` to who sent them, under a name that nobody joins. */
export const own = 'me';
export const ownHistory = (principal: Pick<Principal, 'id'>): string => `user:${principal.id}`;

/**
 * Names that stand for something else: a user's own audience or history, and a role's for who does not have it.
 * @throws Failure FORBIDDEN
 */
export function assertJoinable(principal: Principal, name: string): void {
  if (name === own || name.startsWith('user:') || name.startsWith('role:'))
    throw new Failure('FORBIDDEN', 'This name is reserved');
  if (isRole(name) && !principal.roles.includes(name)) {
    throw new Failure('FORBIDDEN', 'This name is a role');
  }
}

/** @throws Failure INVALID_REQUEST */
export function assertRoomName(name: string): void {
  if (name.length > 128) throw new Failure('INVALID_REQUEST', 'The name of a room has at most 128 characters');
}

/** Who hears of a room: null is everyone. */
export const hearersOf = (room: Room): string[] | null => (room.private ? [room.owner, ...room.members] : null);
