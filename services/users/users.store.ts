import type { Collection, Collections, Stored } from '../../shared/store/collection.ts';

export interface User extends Stored {
  username: string;
  email: string | null;
  roles: ('admin' | 'user')[];
  can_login: boolean;
  /** argon2id, in its own text form. */
  passwordHash: string;
  /** Tokens carry it; raising it revokes them all. */
  tokenVersion: number;
}

export interface UsersStore {
  users: Collection<User>;
  byName(username: string): Promise<User | null>;
}

export async function usersStore(stores: Collections): Promise<UsersStore> {
  const users = await stores.collection<User>({
    name: 'users',
    unique: ['username'],
    sortable: ['createdAt', 'username'],
    search: { keys: ['username'], match: 'prefix' },
  });
  return {
    users,
    byName: async (username) => (await users.find({ username }, { limit: 1 }))[0] ?? null,
  };
}
