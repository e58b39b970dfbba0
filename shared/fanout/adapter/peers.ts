import type { NatsLink } from './nats.link.ts';

/** What of Socket.IO's adapter knows the other servers, by their signs of life; it has no public way to it. */
interface Known {
  nodesMap: Map<string, number>;
  removeNode(uid: string): void;
}

export interface PeersHost {
  uid: string;
  link: NatsLink;
  /** Milliseconds after which a silent server is taken for gone. */
  timeout: number;
  /** @param seen when it was heard last (ms) */
  lost(uid: string, seen: number): void;
  /** It was only silent. */
  back(uid: string): void;
}

const maxGone = 1_000;

/** The other servers of the cluster: which of them are gone. */
export class Peers {
  readonly #host: PeersHost;
  readonly #known: Known;
  readonly #gone = new Map<string, NodeJS.Timeout | undefined>();

  constructor(adapter: object, host: PeersHost) {
    this.#host = host;
    this.#known = adapter as Known;
    const remove = this.#known.removeNode.bind(adapter);
    this.#known.removeNode = (uid) => {
      const seen = this.#known.nodesMap.get(uid);
      remove(uid);
      if (seen !== undefined) this.#removed(uid, seen);
    };
  }

  /** Whether this server is the first of those that are there: one for what one of them is to do. */
  get first(): boolean {
    return [...this.#known.nodesMap.keys()].every((uid) => this.#host.uid < uid);
  }

  heard(uid: string | undefined): void {
    if (uid === undefined || !this.#gone.has(uid)) return;
    const waiting = this.#gone.get(uid);
    clearTimeout(waiting);
    this.#gone.delete(uid);
    if (!waiting) this.#host.back(uid);
  }

  close(): void {
    for (const timer of this.#gone.values()) clearTimeout(timer);
    this.#gone.clear();
  }

  #removed(uid: string, seen: number): void {
    const { link, timeout } = this.#host;
    if (this.#gone.size >= maxGone) this.#forget(this.#gone.keys().next().value as string);
    if (link.up && Date.now() - link.upSince > timeout) {
      this.#gone.set(uid, undefined);
      this.#host.lost(uid, seen);
      return;
    }
    // It may be this server that was cut off: the others get the time to be heard again.
    const timer = setTimeout(() => this.#removed(uid, seen), timeout);
    this.#gone.set(uid, timer.unref());
  }

  #forget(uid: string): void {
    clearTimeout(this.#gone.get(uid));
    this.#gone.delete(uid);
  }
}
