import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ForwardDestination } from './config.ts';
import { log } from './log.ts';
import { RtspClient } from './rtsp.client.ts';
import type { FrameWriter, Stream } from './stream.ts';

export interface ForwardOptions {
  path: string;
  matches: readonly string[];
  retryMs: number;
  readTimeoutMs: number;
}

/** One destination: pushes the stream there for as long as it lasts, and again some time after each failure. */
class Destination {
  readonly id = randomUUID();
  readonly created = new Date().toISOString();
  readonly config: ForwardDestination;
  readonly #options: ForwardOptions;
  #controller: AbortController | undefined;
  #state: 'idle' | 'forwarding' | 'error' = 'idle';
  #lastError = '';
  #sent = 0;
  #writer: FrameWriter | undefined;

  constructor(config: ForwardDestination, options: ForwardOptions) {
    this.config = config;
    this.#options = options;
  }

  start(stream: Stream): void {
    this.#controller = new AbortController();
    void this.#keepPushing(stream, this.#controller.signal);
  }

  stop(): void {
    this.#controller?.abort();
    this.#state = 'idle';
  }

  item(pos: number): Record<string, unknown> {
    return {
      id: this.id,
      pos,
      created: this.created,
      conf: this.config,
      protocol: this.config.dest.split(':')[0],
      state: this.#state,
      lastError: this.#lastError,
      outboundBytes: this.#sent + (this.#writer?.bytes ?? 0),
    };
  }

  async #keepPushing(stream: Stream, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#state = 'forwarding';
      this.#lastError = '';
      const error = await this.#push(stream, signal).catch((reason: Error) => reason);
      this.#sent += this.#writer?.bytes ?? 0;
      this.#writer = undefined;
      if (signal.aborted) return;
      this.#state = 'error';
      this.#lastError = error?.message ?? 'terminated';
      log(`[path ${this.#options.path}] forward: ${this.#lastError}`);
      await delay(this.#options.retryMs, undefined, { signal }).catch(() => {});
    }
  }

  async #push(stream: Stream, signal: AbortSignal): Promise<undefined> {
    const { path, matches, readTimeoutMs } = this.#options;
    if (!/^rtsps?:/.test(this.config.dest)) throw new Error('the stand-in forwards over RTSP only');
    const url = this.config.dest
      .replaceAll('$MTX_PATH', path)
      .replace(/\$G(\d+)/g, (_all, group: string) => matches[Number(group)] ?? '');
    const client = new RtspClient({ url, fingerprint: this.config.destFingerprint, readTimeoutMs });
    signal.addEventListener('abort', () => client.close());
    try {
      this.#writer = await client.push(stream);
      return await client.ended;
    } finally {
      client.close();
    }
  }
}

const isSame = (a: ForwardDestination, b: ForwardDestination): boolean =>
  a.dest === b.dest && a.destFingerprint === b.destFingerprint && a.whipBearerToken === b.whipBearerToken;

/** The destinations of a path. They run while the path has a stream. */
export class ForwardManager {
  readonly #options: ForwardOptions;
  #destinations: Destination[];
  #stream: Stream | undefined;

  constructor(options: ForwardOptions, forward: readonly ForwardDestination[]) {
    this.#options = options;
    this.#destinations = forward.map((config) => new Destination(config, options));
  }

  start(stream: Stream): void {
    this.#stream = stream;
    for (const destination of this.#destinations) destination.start(stream);
  }

  stop(): void {
    this.#stream = undefined;
    for (const destination of this.#destinations) destination.stop();
  }

  /** Keeps the destinations that stay at their place as they are. */
  reload(forward: readonly ForwardDestination[]): void {
    const former = this.#destinations;
    this.#destinations = forward.map((config, index) => {
      const there = former[index];
      if (there && isSame(there.config, config)) return there;
      const destination = new Destination(config, this.#options);
      if (this.#stream) destination.start(this.#stream);
      return destination;
    });
    for (const destination of former) if (!this.#destinations.includes(destination)) destination.stop();
  }

  items(): Record<string, unknown>[] {
    return this.#destinations.map((destination, index) => destination.item(index + 1));
  }
}
