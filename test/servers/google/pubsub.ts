import { randomUUID } from 'node:crypto';
import { type Answer, type Ask, GoogleError, json } from './http.ts';
import { type OAuth, pubsubScope } from './oauth.ts';

interface Queued {
  messageId: string;
  data: string;
  publishTime: string;
  /** Milliseconds since the epoch before which nobody else gets it. */
  leasedUntil: number;
  deliveries: number;
}

/** Milliseconds a pull waits for a message. */
const pullWait = 2_000;
const step = 25;

/** Pub/Sub's REST calls for one pull subscription: at least once, in no promised order. */
export class PubSub {
  readonly #oauth: OAuth;
  readonly #subscription: string;
  readonly #ackDeadline: number;
  readonly #queue = new Map<string, Queued>();
  readonly #leases = new Map<string, string>();
  /** So many of the next calls fail, with 503. */
  failing = 0;
  /** So many of the next acknowledgements are answered well and forgotten. */
  forgetting = 0;
  pulls = 0;
  acknowledged = 0;
  deliveries = 0;

  constructor(subscription: string, ackDeadline: number, oauth: OAuth) {
    this.#subscription = subscription;
    this.#ackDeadline = ackDeadline;
    this.#oauth = oauth;
  }

  add(message: object): void {
    const messageId = randomUUID();
    const data = Buffer.from(JSON.stringify(message)).toString('base64');
    const publishTime = new Date().toISOString();
    this.#queue.set(messageId, { messageId, data, publishTime, leasedUntil: 0, deliveries: 0 });
  }

  addRaw(data: string): void {
    this.#queue.set(data, { messageId: data, data, publishTime: '', leasedUntil: 0, deliveries: 0 });
  }

  /** Messages nobody acknowledged. */
  get unacknowledged(): number {
    return this.#queue.size;
  }

  answer: Answer = async (ask) => {
    const [, subscription, verb] = /^\/v1\/(projects\/[^/]+\/subscriptions\/[^:]+):(\w+)$/.exec(ask.path) ?? [];
    if (!subscription || ask.method !== 'POST') return null;
    const grant = this.#oauth.granted(ask);
    if (this.failing > 0) {
      this.failing -= 1;
      throw new GoogleError(503, 'UNAVAILABLE', 'The service was unable to fulfill your request.');
    }
    if (!grant.scopes.includes(pubsubScope)) {
      throw new GoogleError(403, 'PERMISSION_DENIED', 'Request had insufficient authentication scopes.');
    }
    if (subscription !== this.#subscription) {
      throw new GoogleError(404, 'NOT_FOUND', `Resource not found (resource=${subscription}).`);
    }
    if (verb === 'pull') return json(await this.#pull(ask));
    if (verb === 'acknowledge') return json(this.#acknowledge(ask.body.ackIds));
    return null;
  };

  async #pull({ body, gone }: Ask) {
    this.pulls += 1;
    let left = false;
    void gone.then(() => {
      left = true;
    });
    const most = Math.min(Number(body.maxMessages), 1_000);
    if (!(most > 0)) throw new GoogleError(400, 'INVALID_ARGUMENT', 'maxMessages must be positive.');
    for (const end = Date.now() + pullWait; !left; ) {
      const ready = [...this.#queue.values()].filter(({ leasedUntil }) => leasedUntil <= Date.now()).slice(0, most);
      if (ready.length > 0) return { receivedMessages: ready.map((message) => this.#lease(message)) };
      if (Date.now() > end) break;
      await new Promise((resolve) => setTimeout(resolve, step));
    }
    return {};
  }

  #lease(message: Queued) {
    const ackId = randomUUID();
    this.#leases.set(ackId, message.messageId);
    message.leasedUntil = Date.now() + this.#ackDeadline;
    message.deliveries += 1;
    this.deliveries += 1;
    const { messageId, data, publishTime } = message;
    return { ackId, message: { data, messageId, publishTime }, deliveryAttempt: message.deliveries };
  }

  #acknowledge(ackIds: unknown) {
    if (!Array.isArray(ackIds)) throw new GoogleError(400, 'INVALID_ARGUMENT', 'No ackIds.');
    if (this.forgetting > 0) {
      this.forgetting -= 1;
      return {};
    }
    for (const ackId of ackIds) {
      const messageId = this.#leases.get(ackId);
      this.#leases.delete(ackId);
      if (messageId !== undefined && this.#queue.delete(messageId)) this.acknowledged += 1;
    }
    return {};
  }
}
