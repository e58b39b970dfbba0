import { createInbox, type Msg, type NatsError, nanos, type Subscription } from 'nats';
import type { BusLog } from './adapter/bus.log.ts';
import type { NatsLink } from './adapter/nats.link.ts';
import { pause } from './adapter/pause.ts';
import { type Pulled, pulledOf } from './nats.message.ts';
import { growingPause, stopBound } from './pause.ts';

export interface PullOptions {
  link: NatsLink;
  log: BusLog;
  stream: string;
  /** Messages asked for at a time. */
  batch: number;
  /** Makes sure that the consumer is there and names it: at the start, and whenever link or consumer were lost. */
  open(): Promise<string>;
  /** Looks at a message as it arrives; false where one is missing before it, then the consumer is opened anew. */
  accept(message: Pulled): boolean;
  /** One message at a time, in order. Must not reject. */
  handle(message: Pulled): Promise<void>;
  /** A message that arrived but will not be handled here. */
  release(message: Pulled): void;
}

const expires = 10_000;
const heartbeat = 2_500;

/**
 * Pulls from a JetStream consumer through every loss of link, server and consumer. `consume()` of nats.js is not used:
 * it asks for more as messages arrive, not as they are handled, so what a slow handler holds up has no bound; and when
 * it stops it throws away what is on its way, which another process then gets only after the ack wait.
 */
export class Puller {
  readonly #options: PullOptions;
  readonly #inbox: string;
  readonly #queue: Pulled[] = [];
  readonly #stopping = new AbortController();
  #subscription: Subscription | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #forgetLink = () => {};
  #consumer = '';
  #requests = 0;
  #outstanding = 0;
  #heardAt = 0;
  #failures = 0;
  #recovering = false;
  #working: Promise<void> | undefined;

  constructor(options: PullOptions) {
    this.#options = options;
    this.#inbox = createInbox();
  }

  /** @throws Error where the consumer cannot be opened */
  async start(): Promise<void> {
    const { link, open } = this.#options;
    this.#consumer = await open();
    this.#subscription = link.connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => this.#receive(error, message),
    });
    this.#forgetLink = link.onBack(() => void this.#recover());
    this.#watchdog = setInterval(() => this.#watch(), heartbeat);
    this.#request();
  }

  /** Resolves when the message in progress is handled (at most 10 s) and those behind it are given back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#forgetLink();
    clearInterval(this.#watchdog);
    for (const message of this.#queue.splice(0)) this.#options.release(message);
    // Draining, not just unsubscribing: what is on its way still arrives and is given back.
    const draining = this.#subscription?.drain().catch(() => {});
    const bound = new AbortController();
    await Promise.race([Promise.all([draining, this.#working]), pause(stopBound, bound.signal)]);
    bound.abort();
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  #request(): void {
    const { link, stream, batch } = this.#options;
    if (this.#stopped || this.#recovering || !link.up || link.connection.isClosed()) return;
    if (this.#outstanding > 0 || this.#queue.length > batch / 2) return;
    this.#outstanding = batch;
    this.#requests += 1;
    this.#heardAt = Date.now();
    const body = { batch, expires: nanos(expires), idle_heartbeat: nanos(heartbeat) };
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${this.#consumer}`;
    link.connection.publish(subject, JSON.stringify(body), { reply: `${this.#inbox}.${this.#requests}` });
  }

  #receive(error: NatsError | null, message: Msg): void {
    if (error) this.#fail({ err: error });
    else if (message.subject.startsWith(this.#inbox)) this.#status(message);
    else this.#deliver(pulledOf(message));
  }

  #deliver(message: Pulled): void {
    this.#heardAt = Date.now();
    if (this.#stopped) this.#options.release(message);
    // Else it is from a consumer that was given up, whose successor delivers it too.
    else if (message.consumer === this.#consumer) {
      if (this.#options.accept(message)) this.#enqueue(message);
      else void this.#recover();
    }
  }

  #enqueue(message: Pulled): void {
    this.#failures = 0;
    this.#outstanding -= 1;
    this.#queue.push(message);
    this.#working ??= this.#drain();
  }

  #status(message: Msg): void {
    if (message.subject !== `${this.#inbox}.${this.#requests}`) return;
    this.#heardAt = Date.now();
    const code = message.headers?.code ?? 0;
    const idle = code === 100;
    const ended = code === 404 || code === 408;
    if (!idle && !ended) this.#fail({ code, reason: message.headers?.description });
    if (!ended) return;
    this.#failures = 0;
    this.#outstanding = 0;
    this.#request();
  }

  #watch(): void {
    const silent = Date.now() - this.#heardAt > 2 * heartbeat + 500;
    if (this.#outstanding > 0 && silent && this.#options.link.up) this.#fail({ reason: 'no heartbeat' });
  }

  #fail(fields: Record<string, unknown>): void {
    if (this.#stopped || this.#recovering) return;
    this.#failures += 1;
    this.#options.log.warn({ ...fields, consumer: this.#consumer }, 'pulling events was interrupted');
    void this.#recover();
  }

  async #recover(): Promise<void> {
    if (this.#recovering || this.#stopped) return;
    this.#recovering = true;
    this.#outstanding = 0;
    while (!this.#stopped && !(await this.#reopen())) this.#failures += 1;
    this.#recovering = false;
    this.#request();
  }

  async #reopen(): Promise<boolean> {
    const { link, log, open } = this.#options;
    if (this.#failures > 0) await pause(Math.min(growingPause(this.#failures), 2_000), this.#stopping.signal);
    if (link.connection.isClosed()) this.#stopping.abort();
    if (this.#stopped || !(await link.whenUp(1_000))) return false;
    try {
      this.#consumer = await open();
      return true;
    } catch (error) {
      log.warn({ err: error, stream: this.#options.stream }, 'a consumer of events could not be opened');
      return false;
    }
  }

  async #drain(): Promise<void> {
    await Promise.resolve(); // so that what this returns is known before it can end
    for (let message = this.#queue.shift(); message; message = this.#queue.shift()) {
      await this.#options.handle(message);
      this.#request();
    }
    this.#working = undefined;
  }
}
