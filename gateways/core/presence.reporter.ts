import type { Bus } from '../../shared/fanout/bus.ts';
import {
  heartbeatEveryMs,
  type PresenceAsk,
  type PresentSession,
  presenceTopics as topics,
} from '../../shared/fanout/presence.notices.ts';

export interface PresenceReporter {
  joined(session: PresentSession): void;
  left(id: string): void;
  /** Every session has left: the gateway ends. */
  stop(): Promise<void>;
}

/** A gateway's own sessions, told to presence: each change, a heartbeat with their number, and all of them on request. */
export async function presenceReporter(gateway: string, bus: Bus): Promise<PresenceReporter> {
  const sessions = new Map<string, PresentSession>();
  let sequence = 0;
  const snapshot = () => bus.notify(topics.snapshot, { gateway, sequence, sessions: [...sessions.values()] });

  const asking = await bus.listen(topics.ask, (data) => {
    const { gateway: asked } = (data ?? {}) as PresenceAsk;
    if (asked === undefined || asked === gateway) snapshot();
  });
  const timer = setInterval(() => bus.notify(topics.heartbeat, { gateway, sequence }), heartbeatEveryMs);
  timer.unref();

  return {
    joined(session) {
      sessions.set(session.id, session);
      sequence += 1;
      bus.notify(topics.change, { gateway, sequence, joined: session });
    },
    left(id) {
      if (!sessions.delete(id)) return;
      sequence += 1;
      bus.notify(topics.change, { gateway, sequence, left: id });
    },
    async stop() {
      clearInterval(timer);
      await asking.stop();
      sessions.clear();
      sequence += 1;
      snapshot();
    },
  };
}
