import { Failure } from '../../shared/contracts/index.ts';
import { change, found } from '../../shared/store/change.ts';
import type { Collection, Collections, Stored } from '../../shared/store/collection.ts';
import { isAdministrator } from './users.rules.ts';
import type { User } from './users.store.ts';

/** The ids of everyone who can log in as administrator, in one record, so that removing the last one can be refused. */
interface Roster extends Stored {
  administrators: string[];
}

const rosterId = 'administrators';
const maxAdministrators = 1_000;
/** Each race that is lost is a change of somebody else's that got through. */
const attempts = 100;

/**
 * Who counts as administrator: never somebody who is none. Two records cannot change at once, so each side voids what
 * the other one decided: whoever is to cease is taken out first, which changes the roster's version in any case, and
 * ceases only at the version of the user that was read before; enlisting reads the roster, changes the user's version
 * where it is an administrator, and writes only at the version of the roster that was read.
 */
export async function administratorsRoster(stores: Collections, users: Collection<User>) {
  const rosters = await stores.collection<Roster>({ name: 'rosters', sortable: [] });
  await makeRoster(rosters);

  /** The user in a new version, if it is an administrator. */
  async function renewed(id: string): Promise<User | null> {
    for (let user = await users.get(id); user && isAdministrator(user); user = await users.get(id)) {
      const changed = await users.update(id, user.version, { roles: user.roles });
      if (changed) return changed;
    }
    return null;
  }

  return {
    /**
     * Counts a user who is an administrator; resolves to the changed record, null where nothing was to be done.
     * @throws Failure CONFLICT where there are 1,000 already
     */
    async enlist(id: string): Promise<User | null> {
      let user: User | null = null;
      const decide = async ({ administrators }: Roster) => {
        if (administrators.includes(id)) return {};
        user = await renewed(id);
        if (!user) return {};
        if (administrators.length >= maxAdministrators)
          throw new Failure('CONFLICT', 'There are too many administrators');
        return { administrators: [...administrators, id] };
      };
      await change(rosters, rosterId, decide, attempts);
      return user;
    },

    /**
     * Stops counting a user, who may cease to be an administrator only after it. Whoever is counted and is no
     * administrator, as older releases could leave behind, goes too.
     * @throws Failure CONFLICT where nobody would be left
     */
    async discharge(id: string): Promise<void> {
      const decide = async ({ administrators }: Roster) => {
        const known = await users.find({ id: { $in: administrators } }, { limit: maxAdministrators });
        const others = known.filter((user) => user.id !== id && isAdministrator(user));
        if (others.length === 0) throw new Failure('CONFLICT', 'The last administrator cannot be removed');
        return { administrators: others.map((user) => user.id) };
      };
      await change(rosters, rosterId, decide, attempts);
    },

    hasAdministrator: async (): Promise<boolean> => found(await rosters.get(rosterId)).administrators.length > 0,
  };
}

export type AdministratorsRoster = Awaited<ReturnType<typeof administratorsRoster>>;

async function makeRoster(rosters: Collection<Roster>): Promise<void> {
  if (await rosters.get(rosterId)) return;
  await rosters.insert({ id: rosterId, administrators: [] }).catch(async (error: unknown) => {
    if (!(await rosters.get(rosterId))) throw error;
  });
}
