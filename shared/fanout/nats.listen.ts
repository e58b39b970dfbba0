import { deadline, type Msg } from 'nats';
import type { BusLog } from './adapter/bus.log.ts';
import { persist } from './adapter/nats.errors.ts';
import type { NatsLink } from './adapter/nats.link.ts';
import type { Following } from './bus.ts';

/** Milliseconds a subscription may take to reach the server. */
const bound = 5_000;

/** Resolves when the server knows the subscription. nats.js renews it after every reconnect. */
export async function listenTo(
  link: NatsLink,
  subject: string,
  handler: (data: unknown) => void,
  log: BusLog,
): Promise<Following> {
  const hear = (error: Error | null, message: Msg) => {
    try {
      if (error) throw error;
      handler(message.json());
    } catch (err) {
      log.warn({ subject, err }, 'a notice was not handled');
    }
  };
  const subscription = link.connection.subscribe(subject, { callback: hear });
  try {
    await persist(bound, async (left) => {
      await link.whenUp(left);
      await deadline(link.connection.flush(), left);
    });
  } catch (error) {
    subscription.unsubscribe();
    throw error;
  }
  return { stop: async () => subscription.unsubscribe() };
}
