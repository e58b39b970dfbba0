import { Gauge } from 'prom-client';
import { presenceContract } from '../../shared/contracts/presence.contract.ts';
import {
  gatewayLeaseMs,
  type PresenceChange,
  type PresenceHeartbeat,
  type PresenceSnapshot,
  presenceTopics as topics,
} from '../../shared/fanout/presence.notices.ts';
import { implement } from '../../shared/runtime/implement.ts';
import type { StartService } from '../deps.ts';
import { presenceIndex } from './presence.rules.ts';

/** How often leases are looked at: lease and look together stay within the five seconds a dead gateway may linger. */
const expireEveryMs = 200;

/** Soft state: an index of what the gateways report, rebuilt from them whenever this starts or missed something. */
export const startPresence: StartService = async ({ bus, log, registry }) => {
  const index = presenceIndex();
  new Gauge({
    name: 'trigate_presence_users',
    help: 'Users with at least one session, as this process sees it',
    registers: [registry],
    collect() {
      this.set(index.size());
    },
  });
  const ask = (gateway?: string) => bus.notify(topics.ask, { gateway });
  const now = () => performance.now();

  const following = await Promise.all([
    bus.listen(topics.change, (data) => {
      const change = data as PresenceChange;
      if (!index.change(change, now())) ask(change.gateway);
    }),
    bus.listen(topics.heartbeat, (data) => {
      const heartbeat = data as PresenceHeartbeat;
      if (!index.heartbeat(heartbeat, now())) ask(heartbeat.gateway);
    }),
    bus.listen(topics.snapshot, (data) => index.snapshot(data as PresenceSnapshot, now())),
  ]);
  bus.onGap(() => ask());
  ask();
  const timer = setInterval(() => index.expire(now(), gatewayLeaseMs), expireEveryMs);
  timer.unref();

  const handlers: Parameters<typeof implement<typeof presenceContract>>[1] = {
    presence: {
      async list({ payload: { page, itemsPerPage, sortBy, search } }) {
        const prefix = search?.toLowerCase() ?? '';
        const direction = sortBy[0]?.order === 'desc' ? -1 : 1;
        const online = index
          .online()
          .filter(({ user }) => user.username.toLowerCase().startsWith(prefix))
          .sort((a, b) => direction * (a.user.username < b.user.username ? -1 : 1));
        const items = online.slice((page - 1) * itemsPerPage, page * itemsPerPage);
        return {
          items: items.map(({ user, sessions }) => ({ ...user, sessions: sessions.length })),
          total: online.length,
          page,
          itemsPerPage,
        };
      },
      async read({ entity }) {
        const sessions = index.sessionsOf(entity);
        return { id: entity, ...sessions[0]?.user, online: sessions.length > 0, sessions };
      },
    },
  };
  return {
    schemas: implement(presenceContract, handlers, log),
    async stop() {
      clearInterval(timer);
      await Promise.all(following.map((one) => one.stop()));
    },
  };
};
