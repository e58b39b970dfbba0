import { messageOf } from './refusals.rules.ts';
import { askGoogle, type GoogleReply } from './request.ts';

/** Milliseconds a pull may wait for messages. */
const pullMs = 60_000;
const acknowledgeMs = 5_000;
/** Messages one pull takes on. */
const most = 10;

export interface Pulled {
  ackId: string;
  data: unknown;
}

/** Pub/Sub's pull subscriptions at a base URL. */
export function pubsubClient(base: string) {
  const ask = async (subscription: string, verb: string, json: object, token: string, timeoutMs: number) => {
    const url = `${base}/${subscription}:${verb}`;
    return { url, json, authorization: `Bearer ${token}`, timeoutMs };
  };
  return {
    /** Waits for messages; none where none came. @throws PubSubError, or an error of the network */
    async pull(subscription: string, token: string, signal: AbortSignal): Promise<Pulled[]> {
      const request = await ask(subscription, 'pull', { maxMessages: most }, token, pullMs);
      const reply = await askGoogle({ ...request, signal }).catch((error: Error) => {
        if (error.name === 'TimeoutError') return { status: 200, body: {} };
        throw error;
      });
      const received = good(reply).body?.receivedMessages;
      return (Array.isArray(received) ? received : []).flatMap((one) =>
        typeof one?.ackId === 'string' ? [{ ackId: one.ackId, data: one.message?.data }] : [],
      );
    },
    /** They do not come again. @throws PubSubError, or an error of the network */
    async acknowledge(subscription: string, ackIds: readonly string[], token: string): Promise<void> {
      good(await askGoogle(await ask(subscription, 'acknowledge', { ackIds }, token, acknowledgeMs)));
    },
  };
}

export type PubSubClient = ReturnType<typeof pubsubClient>;

/** Pub/Sub refused. */
export class PubSubError extends Error {
  override readonly name = 'PubSubError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function good(reply: GoogleReply): GoogleReply {
  if (reply.status !== 200) throw new PubSubError(reply.status, messageOf(reply));
  return reply;
}
