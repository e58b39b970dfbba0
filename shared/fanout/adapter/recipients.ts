import { createInbox, type Msg, type Subscription } from 'nats';
import type { NamespaceNames } from './names.ts';
import type { NatsLink } from './nats.link.ts';
import type { Publisher } from './publisher.ts';

interface Asked {
  count: number;
  /** Servers that have not said yet that they are through. */
  missing: Set<string>;
  resolve(count: number): void;
}

interface Sign {
  uid?: string;
  type?: number;
}

const heartbeat = 2;
const initialHeartbeat = 1;
const farewell = 13;
/** Milliseconds without a sign of life after which a server is not waited for. */
const lifetime = 5_000;
const maxAsked = 10_000;

/**
 * Counts sockets over the cluster. Only servers that hold an audience answer; that nobody else will is known as every
 * server has answered a second question, which is asked once per turn for all counts of that turn: NATS keeps the order
 * of what one sends to another.
 */
export class Recipients {
  readonly #link: NatsLink;
  readonly #names: NamespaceNames;
  readonly #publisher: Publisher;
  readonly #timeout: number;
  readonly #inbox = createInbox();
  readonly #servers = new Map<string, number>();
  readonly #asked = new Map<string, Asked>();
  readonly #subscriptions: Subscription[];
  readonly #rounds = new Map<string, string[]>();
  #round: string[] = [];
  #next = 0;
  #known: Promise<void>;

  constructor(link: NatsLink, names: NamespaceNames, publisher: Publisher, timeout: number) {
    this.#link = link;
    this.#names = names;
    this.#publisher = publisher;
    this.#timeout = timeout;
    const hear = (subject: string, callback: (message: Msg) => void) =>
      link.connection.subscribe(subject, { callback: (error, message) => !error && callback(message) });
    this.#subscriptions = [
      hear(names.heartbeats, (message) => this.#sign(message.json<Sign>())),
      hear(`${this.#inbox}.*.*`, (message) => this.#answer(message)),
    ];
    this.#known = this.#meet();
  }

  /**
   * @param ask publishes the question, with this subject for the answers
   * @returns sockets that were counted within the time given
   */
  async count(ask: (reply: string) => void): Promise<number> {
    await this.#known;
    if (this.#asked.size >= maxAsked) throw new Error(`more than ${maxAsked} counts are under way`);
    this.#forgetDead();
    const id = (this.#next++).toString(36);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#end(id), this.#timeout);
      const done = (count: number) => {
        clearTimeout(timer);
        resolve(count);
      };
      this.#asked.set(id, { count: 0, missing: new Set(this.#servers.keys()), resolve: done });
      ask(`${this.#inbox}.c.${id}`);
      if (this.#round.push(id) === 1) setImmediate(() => this.#sync());
    });
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    for (const id of [...this.#asked.keys()]) this.#end(id);
  }

  /** Learns who is there: all servers answer this sign, and those that start later give their own. */
  async #meet(): Promise<void> {
    const sign = { type: initialHeartbeat, uid: 'emitter', nsp: '' };
    this.#publisher.publish(this.#names.heartbeats, Buffer.from(JSON.stringify(sign)));
    this.#publisher.flush();
    await this.#link.connection.flush().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  #sync(): void {
    const ids = this.#round.splice(0);
    const round = (this.#next++).toString(36);
    this.#rounds.set(round, ids);
    setTimeout(() => this.#rounds.delete(round), this.#timeout).unref();
    const reply = `${this.#inbox}.s.${round}`;
    this.#publisher.publish(this.#names.heartbeats, Buffer.from(JSON.stringify({ sync: reply })));
    this.#publisher.flush();
    for (const id of ids) if (this.#asked.get(id)?.missing.size === 0) this.#end(id);
  }

  #answer(message: Msg): void {
    const [kind, id = ''] = message.subject.slice(this.#inbox.length + 1).split('.');
    if (kind === 'c') {
      const asked = this.#asked.get(id);
      if (asked) asked.count += message.json<{ count: number }>().count;
      return;
    }
    const uid = message.string();
    for (const each of this.#rounds.get(id) ?? []) {
      const asked = this.#asked.get(each);
      if (asked?.missing.delete(uid) && asked.missing.size === 0) this.#end(each);
    }
  }

  #end(id: string): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    asked?.resolve(asked.count);
    // Not waited for again until it gives a sign.
    for (const uid of asked?.missing ?? []) this.#servers.delete(uid);
  }

  #sign({ uid, type }: Sign): void {
    if (!uid || uid === 'emitter') return;
    if (type === farewell) this.#servers.delete(uid);
    else if (type === heartbeat || type === initialHeartbeat) this.#servers.set(uid, performance.now());
  }

  #forgetDead(): void {
    const due = performance.now() - lifetime;
    for (const [uid, at] of this.#servers) if (at < due) this.#servers.delete(uid);
  }
}
