import { Gauge } from 'prom-client';
import { presenceContract } from '../../shared/contracts/presence.contract.ts';
import { implement } from '../../shared/runtime/implement.ts';
import type { StartService } from '../deps.ts';
import { PresenceReplica } from './presence.replica.ts';

/** Sessions of one user that an answer holds. */
const maxSessions = 1_000;

/** Soft state: an index of what the gateways report, rebuilt from them whenever this starts or missed something. */
export const startPresence: StartService = async ({ bus, log, registry, config }) => {
  const replica = new PresenceReplica({ bus, log, broadcast: config.presenceBroadcast });
  const { index } = replica;
  new Gauge({
    name: 'trigate_presence_users',
    help: 'Users with at least one session, as this process sees it',
    registers: [registry],
    collect() {
      this.set(index.size);
    },
  });
  await replica.start();

  const handlers: Parameters<typeof implement<typeof presenceContract>>[1] = {
    presence: {
      async list({ payload: { page, itemsPerPage, sortBy, search } }) {
        const { items, total } = index.page({
          prefix: search?.toLowerCase() ?? '',
          descending: sortBy[0]?.order === 'desc',
          skip: (page - 1) * itemsPerPage,
          take: itemsPerPage,
        });
        return {
          items: items.map(({ sessions, ...user }) => ({ ...user, sessions: sessions.size })),
          total,
          page,
          itemsPerPage,
        };
      },
      async read({ entity }) {
        const user = index.user(entity);
        const sessions = [...(user?.sessions ?? [])].slice(0, maxSessions);
        return { id: entity, username: user?.username, email: user?.email, online: user !== undefined, sessions };
      },
    },
  };
  return { schemas: implement(presenceContract, handlers, log), stop: () => replica.stop() };
};
