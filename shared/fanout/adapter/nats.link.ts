import type { NatsConnection } from 'nats';

/** Whether a connection is up, and who wants to know when it is back. */
export class NatsLink {
  readonly connection: NatsConnection;
  readonly #back = new Set<() => void>();
  readonly #status: AsyncIterable<{ type: string }> & { stop?(): void };
  #up = true;
  #upSince = 0;
  #breaks = 0;

  constructor(connection: NatsConnection) {
    this.connection = connection;
    this.#status = connection.status() as AsyncIterable<{ type: string }>;
    void this.#watch();
    void connection.closed().then(() => {
      this.#up = false;
    });
  }

  get up(): boolean {
    return this.#up;
  }

  /** How often it has broken: what was begun before a break and answered after it may have been lost in between. */
  get breaks(): number {
    return this.#breaks;
  }

  /** When it came back last (ms); 0 where it was never away. */
  get upSince(): number {
    return this.#upSince;
  }

  /** Calls the listener after each reconnect, until the function it returns is called. */
  onBack(listener: () => void): () => void {
    this.#back.add(listener);
    return () => {
      this.#back.delete(listener);
    };
  }

  /** Resolves to whether the connection is up, now or within `ms`. */
  whenUp(ms: number): Promise<boolean> {
    if (this.#up || this.connection.isClosed()) return Promise.resolve(this.#up);
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        forget();
        resolve(this.#up);
      };
      const timer = setTimeout(end, ms);
      const forget = this.onBack(end);
    });
  }

  /** The connection itself stays: it belongs to the caller. */
  close(): void {
    this.#back.clear();
    this.#status.stop?.();
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#status) {
      if (type === 'disconnect') {
        this.#up = false;
        this.#breaks += 1;
      }
      if (type !== 'reconnect') continue;
      this.#up = true;
      this.#upSince = Date.now();
      for (const listener of [...this.#back]) listener();
    }
  }
}
