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

/** The ids of everyone who can log in as administrator, in one record, so that removing the last one can be refused. */
interface Roster extends Stored {
  administrators: string[];
}

const rosterId = 'administrators';
const maxAdministrators = 1_000;

export interface UsersStore {
  users: Collection<User>;
  byName(username: string): Promise<User | null>;
  /** Counts a user as administrator; false where there are 1,000 already. */
  enlist(id: string): Promise<boolean>;
  /** Stops counting a user as administrator; false where nobody would be left. */
  discharge(id: string): Promise<boolean>;
  hasAdministrator(): Promise<boolean>;
}

export async function usersStore(stores: Collections): Promise<UsersStore> {
  const users = await stores.collection<User>({
    name: 'users',
    unique: ['username'],
    sortable: ['createdAt', 'username'],
    search: { keys: ['username'], match: 'prefix' },
  });
  const rosters = await stores.collection<Roster>({ name: 'rosters', sortable: [] });
  const roster = async () => (await rosters.get(rosterId)) ?? makeRoster(rosters);
  return {
    users,
    byName: async (username) => (await users.find({ username }, { limit: 1 }))[0] ?? null,
    async enlist(id) {
      await roster();
      return (await rosters.add(rosterId, 'administrators', id, maxAdministrators)) !== null;
    },
    async discharge(id) {
      const { administrators } = await roster();
      if (!administrators.includes(id)) return true;
      return (await rosters.remove(rosterId, 'administrators', id, 1)) !== null;
    },
    hasAdministrator: async () => (await roster()).administrators.length > 0,
  };
}

async function makeRoster(rosters: Collection<Roster>): Promise<Roster> {
  try {
    return await rosters.insert({ id: rosterId, administrators: [] });
  } catch (error) {
    const existing = await rosters.get(rosterId);
    if (existing) return existing;
    throw error;
  }
}
