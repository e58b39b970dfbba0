import type { Bus } from '../../shared/fanout/bus.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Collection, Filter, Stored } from '../../shared/store/collection.ts';
import type { Credentials } from './credentials.store.ts';
import type { Grants } from './grants.ts';
import type { DeviceSync } from './sync.ts';

export interface BackgroundDeps {
  credentials: Collection<Credentials>;
  grants: Grants;
  sync: DeviceSync;
  /** Which events were passed on. */
  handled: Collection<Stored>;
  bus: Pick<Bus, 'claim'>;
  log: Log;
}

/** Milliseconds between looks at what is due. */
const everyMs = 2_000;
/** Milliseconds for which one process alone lists the devices of credentials. */
const syncMs = 60_000;
const sweepMs = 3_600_000;
/** Milliseconds in which one process alone sweeps. */
const sweepingMs = 600_000;
/** Milliseconds for which an event is known again. */
const rememberedMs = 86_400_000;
/** Due credentials that one look takes on. */
const batch = 20;

/**
 * What falls due without anybody asking: tokens that grow old, lists of devices. Every process looks; what it takes on
 * no other one does at the same time, and what a process that dies leaves behind is due for the next.
 */
export function background({ credentials, grants, sync, handled, bus, log }: BackgroundDeps): {
  stop(): Promise<void>;
} {
  let stopped = false;
  let sweptAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  const due = (key: 'refreshAt' | 'syncAt'): Promise<Credentials[]> => {
    const before = { [key]: { $lt: new Date().toISOString() } } as Filter<Credentials>;
    return credentials.find(before, { limit: batch });
  };

  async function look(): Promise<void> {
    for (const { id } of await due('refreshAt')) if (!stopped) await attempt(id, () => grants.renew(id, null));
    for (const { id, syncAt } of await due('syncAt')) {
      if (stopped) return;
      await attempt(id, async () => {
        if (await bus.claim(`google devices ${id} ${syncAt}`, syncMs)) await sync.run(id);
      });
    }
    await sweep();
  }

  /** About once an hour. */
  async function sweep(): Promise<void> {
    if (sweptAt > Date.now() - sweepMs) return;
    sweptAt = Date.now();
    if (!(await bus.claim('google events sweep', sweepingMs))) return;
    await handled.deleteMany({ createdAt: { $lt: new Date(Date.now() - rememberedMs).toISOString() } });
  }

  const attempt = (id: string, work: () => Promise<unknown>): Promise<unknown> =>
    work().catch((err) => log.warn({ credentials: id, err }, 'work in the background failed'));

  function next(): void {
    if (stopped) return;
    timer = setTimeout(
      () => {
        running = look()
          .catch((err) => log.warn({ err }, 'what is due cannot be known now'))
          .finally(next);
      },
      everyMs * (0.75 + Math.random() / 2),
    );
    timer.unref();
  }
  next();

  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
