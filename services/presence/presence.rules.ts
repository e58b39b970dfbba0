import type {
  PresenceChange,
  PresenceHeartbeat,
  PresenceSnapshot,
  PresentSession,
} from '../../shared/fanout/presence.notices.ts';

interface Gateway {
  sequence: number;
  /** ms of the caller's clock. */
  seen: number;
  sessions: Map<string, PresentSession>;
}

export interface OnlineUser {
  user: PresentSession['user'];
  sessions: (PresentSession & { gateway: string })[];
}

/**
 * The index of who is online, without clock or network. What a gateway last reported is the truth about its sessions.
 * The methods that take reports answer false when a report was missed and a snapshot must be asked for.
 */
export function presenceIndex() {
  const gateways = new Map<string, Gateway>();
  const users = new Map<string, Map<string, PresentSession & { gateway: string }>>();

  const put = (gateway: string, session: PresentSession) => {
    const sessions = users.get(session.user.id) ?? new Map();
    users.set(session.user.id, sessions.set(`${gateway}/${session.id}`, { ...session, gateway }));
  };
  const take = (gateway: string, session: PresentSession) => {
    const sessions = users.get(session.user.id);
    sessions?.delete(`${gateway}/${session.id}`);
    if (sessions?.size === 0) users.delete(session.user.id);
  };
  const drop = (name: string) => {
    for (const session of gateways.get(name)?.sessions.values() ?? []) take(name, session);
    gateways.delete(name);
  };

  return {
    change({ gateway: name, sequence, joined, left }: PresenceChange, now: number): boolean {
      const gateway = gateways.get(name) ?? { sequence: 0, seen: now, sessions: new Map<string, PresentSession>() };
      if (sequence <= gateway.sequence) return true;
      if (sequence !== gateway.sequence + 1) return false;
      gateways.set(name, gateway);
      gateway.sequence = sequence;
      gateway.seen = now;
      if (joined) {
        gateway.sessions.set(joined.id, joined);
        put(name, joined);
      }
      const gone = left === undefined ? undefined : gateway.sessions.get(left);
      if (gone) {
        gateway.sessions.delete(gone.id);
        take(name, gone);
      }
      return true;
    },

    heartbeat({ gateway: name, sequence }: PresenceHeartbeat, now: number): boolean {
      const gateway = gateways.get(name);
      if (!gateway) return sequence === 0;
      gateway.seen = now;
      return gateway.sequence >= sequence;
    },

    snapshot({ gateway: name, sequence, sessions }: PresenceSnapshot, now: number): void {
      if ((gateways.get(name)?.sequence ?? -1) > sequence) return;
      drop(name);
      gateways.set(name, { sequence, seen: now, sessions: new Map(sessions.map((session) => [session.id, session])) });
      for (const session of sessions) put(name, session);
    },

    /** Takes out the sessions of gateways that were silent for longer than the lease. */
    expire(now: number, leaseMs: number): void {
      for (const [name, { seen }] of gateways) if (now - seen > leaseMs) drop(name);
    },

    /** Users online. */
    size: () => users.size,

    sessionsOf: (userId: string) => [...(users.get(userId)?.values() ?? [])],

    online(): OnlineUser[] {
      return [...users.values()].map((sessions) => {
        const all = [...sessions.values()];
        return { user: (all[0] as PresentSession).user, sessions: all };
      });
    },
  };
}
