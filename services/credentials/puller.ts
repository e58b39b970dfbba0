import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../../shared/runtime/log.ts';
import type { Collection } from '../../shared/store/collection.ts';
import type { Credentials } from './credentials.store.ts';
import type { CameraEvents } from './events.ts';
import { pubsubScope } from './google/oauth.ts';
import { type PubSubClient, PubSubError, type Pulled } from './google/pubsub.ts';
import type { Grants } from './grants.ts';

export interface PullerDeps {
  credentials: Collection<Credentials>;
  grants: Grants;
  pubsub: PubSubClient;
  events: CameraEvents;
  log: Log;
}

/** Milliseconds between looks at which subscriptions there are. */
const lookMs = 5_000;
/** Subscriptions that one process pulls from. */
const maxPullers = 50;
/** Milliseconds at least between two pulls, where Pub/Sub answers at once. */
const breath = 200;
const firstRest = 1_000;
const longestRest = 60_000;

interface Puller {
  subscription: string;
  end: AbortController;
  done: Promise<void>;
}

/**
 * Pulls messages of every subscription that credentials name. All processes of the service pull: Pub/Sub gives each
 * message to one of them, and to another where the first does not acknowledge it.
 */
export function pullers({ credentials, grants, pubsub, events, log }: PullerDeps): { stop(): Promise<void> } {
  const running = new Map<string, Puller>();
  const over = new AbortController();

  async function round(id: string, subscription: string, signal: AbortSignal): Promise<void> {
    const access = await grants.access(id);
    if (!access.ok) throw new Error(access.message);
    if (!access.scope.split(' ').includes(pubsubScope)) {
      throw new Error('the user did not grant access to Pub/Sub: authorise again');
    }
    const pulled = await pubsub.pull(subscription, access.token, signal).catch(async (error: unknown) => {
      if (error instanceof PubSubError && error.status === 401) await grants.renew(id, access.token);
      throw error;
    });
    const handled = await Promise.all(pulled.map((one) => handle(subscription, one)));
    const ackIds = handled.filter((ackId) => ackId !== null);
    if (ackIds.length > 0) await pubsub.acknowledge(subscription, ackIds, access.token);
  }

  /** Its ackId; null where it must come again. */
  async function handle(subscription: string, { ackId, data }: Pulled): Promise<string | null> {
    try {
      await events(subscription, data);
      return ackId;
    } catch (err) {
      log.warn({ subscription, err }, 'an event of a camera could not be passed on; it comes again');
      return null;
    }
  }

  async function pull(id: string, subscription: string, signal: AbortSignal): Promise<void> {
    let rest = firstRest;
    while (!signal.aborted) {
      try {
        await round(id, subscription, signal);
        rest = firstRest;
        await sleep(breath, signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ credentials: id, error: (error as Error).message, rest }, 'events could not be pulled');
        await sleep(rest * (0.75 + Math.random() / 2), signal);
        rest = Math.min(longestRest, rest * 2);
      }
    }
  }

  function start(id: string, subscription: string): void {
    const end = new AbortController();
    running.set(id, { subscription, end, done: pull(id, subscription, end.signal) });
  }

  function finish(id: string): Promise<void> {
    const puller = running.get(id);
    running.delete(id);
    puller?.end.abort();
    return puller?.done ?? Promise.resolve();
  }

  async function look(): Promise<void> {
    const wanted = await credentials.find({ pubsubSubscription: { $gt: '' } }, { limit: maxPullers });
    const subscriptions = new Map(
      wanted.flatMap(({ id, sealedTokens, pubsubSubscription }) =>
        sealedTokens && pubsubSubscription ? [[id, pubsubSubscription] as const] : [],
      ),
    );
    for (const [id, { subscription }] of running) if (subscriptions.get(id) !== subscription) void finish(id);
    for (const [id, subscription] of subscriptions) if (!running.has(id)) start(id, subscription);
  }

  async function watch(): Promise<void> {
    while (!over.signal.aborted) {
      await look().catch((err) => log.warn({ err }, 'which subscriptions there are cannot be known now'));
      await sleep(lookMs, over.signal);
    }
  }
  const watching = watch();

  return {
    async stop() {
      over.abort();
      await watching;
      await Promise.all([...running.keys()].map(finish));
    },
  };
}

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
