import { durationMs, type PathConfig } from './config.ts';
import { Demand } from './demand.ts';
import { ForwardManager } from './forward.ts';
import type { Hook, HookEnvironment, Hooks } from './hooks.ts';
import { log } from './log.ts';
import { type Description, PathError, type Publisher, pathItem, type Reader } from './path.item.ts';
import type { Track } from './rtsp.sdp.ts';
import { createSource, type Source, type SourceOptions } from './source.ts';
import { Stream } from './stream.ts';

export interface PathOptions extends SourceOptions {
  config: PathConfig;
  /** Groups of the expression that matched, the whole first. */
  matches: readonly string[];
  hooks: Hooks;
  rtspPort: string;
  /** Called when nobody uses the path any more. */
  idle(path: Path): void;
}

interface Waiting {
  resolve(stream: Stream): void;
  reject(error: Error): void;
}

/** One path: its publisher or source, its readers, and the hooks that tell of them. */
export class Path {
  readonly name: string;
  readonly #options: PathOptions;
  readonly #forward: ForwardManager;
  readonly #demand: Demand | undefined;
  readonly #source: Source | undefined;
  readonly #init: Hook | undefined;
  readonly #readers = new Set<Reader>();
  #waiting: Waiting[] = [];
  #config: PathConfig;
  #publisher: Publisher | undefined;
  #stream: Stream | undefined;
  #since: string | null = null;
  #unavailable: () => void = () => {};
  #undemand: () => void = () => {};
  #closed = false;

  constructor(options: PathOptions) {
    this.name = options.name;
    this.#options = options;
    const { config, matches, retryMs, readTimeoutMs } = options;
    this.#config = config;
    this.#forward = new ForwardManager({ path: this.name, matches, retryMs, readTimeoutMs }, config.forward);
    this.#source = createSource(config, matches, options, {
      ready: (tracks) => this.#setAvailable(tracks, '', true),
      notReady: () => {
        this.#setUnavailable();
        if (config.sourceOnDemand) this.#demand?.stop();
      },
    });
    this.#demand = this.#createDemand();
    if (this.#source && !config.sourceOnDemand) this.#source.start('');
    this.#init = this.#run('runOnInit', {}, config.runOnInitRestart);
  }

  get config(): PathConfig {
    return this.#config;
  }

  get isExpression(): boolean {
    return this.#config.name !== this.name;
  }

  /** The stream, which demand may have to call for. @throws PathError */
  describe(query: string): Promise<Stream> {
    if (this.#stream) return Promise.resolve(this.#stream);
    if (this.#closed || !this.#demand) {
      return Promise.reject(new PathError(`no stream is available on path '${this.name}'`, true));
    }
    this.#demand.need(query);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** The stream, with the reader counted. @throws PathError */
  async addReader(reader: Reader, query: string): Promise<Stream> {
    const stream = await this.describe(query);
    if (stream !== this.#stream) throw new PathError('terminated');
    const { maxReaders } = this.#config;
    if (maxReaders > 0 && this.#readers.size >= maxReaders) throw new PathError('maximum reader count reached');
    this.#readers.add(reader);
    this.#demand?.used();
    return stream;
  }

  removeReader(reader: Reader): void {
    this.#readers.delete(reader);
    if (this.#readers.size === 0) this.#demand?.unused();
    this.#leaveIfIdle();
  }

  /** @throws PathError */
  addPublisher(publisher: Publisher, tracks: Track[], query: string): Stream {
    if (this.#config.source !== 'publisher') {
      throw new PathError(`can't publish to path '${this.name}' since 'source' is not 'publisher'`);
    }
    if (this.#publisher) {
      if (!this.#config.overridePublisher) {
        throw new PathError(`someone is already publishing to path '${this.name}'`);
      }
      log(`[path ${this.name}] closing existing publisher`);
      const former = this.#publisher;
      this.removePublisher(former);
      former.close('replaced by another publisher');
    }
    this.#publisher = publisher;
    return this.#setAvailable(tracks, query);
  }

  removePublisher(publisher: Publisher): void {
    if (this.#publisher !== publisher) return;
    this.#setUnavailable();
    this.#publisher = undefined;
    this.#leaveIfIdle();
  }

  /** Takes over what may change in place. */
  reload(config: PathConfig): void {
    this.#config = config;
    this.#forward.reload(config.forward);
  }

  /** Tells of a reader; returns what tells of its end. */
  read({ type, id }: Description, query: string): () => void {
    const env = { MTX_QUERY: escapeQuery(query), MTX_READER_TYPE: type, MTX_READER_ID: id };
    const hook = this.#run('runOnRead', env, this.#config.runOnReadRestart);
    return () => {
      hook?.stop();
      this.#run('runOnUnread', env);
    };
  }

  /** Throws everybody out. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#init?.stop();
    this.#refuseWaiting('terminated');
    this.#source?.stop();
    const publisher = this.#publisher;
    this.#publisher = undefined;
    publisher?.close('path is closing');
    this.#demand?.stop();
    this.#setUnavailable();
  }

  /** What `/v3/paths` tells. */
  item(): Record<string, unknown> {
    return pathItem({
      name: this.name,
      confName: this.#config.name,
      stream: this.#stream,
      since: this.#since,
      source: this.#publisher?.description ?? (this.#source ? { type: this.#source.type, id: '' } : null),
      readers: [...this.#readers].filter(({ hidden }) => !hidden).map(({ description }) => description),
    });
  }

  forwardItems(): Record<string, unknown>[] {
    return this.#forward.items();
  }

  #createDemand(): Demand | undefined {
    const config = this.#config;
    const late = () => this.#refuseWaiting(`source of path '${this.name}' has timed out`);
    const source = this.#source;
    if (source && config.sourceOnDemand) {
      return new Demand({
        startTimeout: durationMs(config.sourceOnDemandStartTimeout),
        closeAfter: durationMs(config.sourceOnDemandCloseAfter),
        start: (query) => source.start(query),
        late,
        stop: () => {
          this.#setUnavailable();
          source.stop();
          this.#leaveIfIdle();
        },
      });
    }
    if (!config.runOnDemand) return undefined;
    return new Demand({
      startTimeout: durationMs(config.runOnDemandStartTimeout),
      closeAfter: durationMs(config.runOnDemandCloseAfter),
      start: (query) => this.#runDemand(query),
      late,
      stop: () => {
        this.#undemand();
        this.#leaveIfIdle();
      },
    });
  }

  #runDemand(query: string): void {
    const env = { MTX_QUERY: escapeQuery(query) };
    const hook = this.#run('runOnDemand', env, this.#config.runOnDemandRestart);
    this.#undemand = () => {
      hook?.stop();
      this.#run('runOnUnDemand', env);
    };
  }

  #setAvailable(tracks: Track[], query: string, fromSource = false): Stream {
    const stream = new Stream(tracks);
    this.#stream = stream;
    this.#since = new Date().toISOString();
    const { type, id } = this.#publisher?.description ?? { type: this.#source?.type ?? '', id: '' };
    const env = { MTX_QUERY: escapeQuery(fromSource ? '' : query), MTX_SOURCE_TYPE: type, MTX_SOURCE_ID: id };
    const available = this.#run('runOnAvailable', env, this.#config.runOnAvailableRestart);
    const online = this.#run('runOnOnline', env, this.#config.runOnOnlineRestart);
    this.#unavailable = () => {
      online?.stop();
      this.#run('runOnOffline', env);
      available?.stop();
      this.#run('runOnUnavailable', env);
    };
    this.#forward.start(stream);
    log(`[path ${this.name}] stream is available and online, ${tracks.length} track(s)`);
    this.#demand?.arrived();
    for (const { resolve } of this.#waiting.splice(0)) resolve(stream);
    return stream;
  }

  #setUnavailable(): void {
    if (!this.#stream) return;
    this.#stream = undefined;
    this.#since = null;
    const readers = [...this.#readers];
    this.#readers.clear();
    for (const reader of readers) reader.close('the stream has ended');
    this.#unavailable();
    this.#forward.stop();
    this.#demand?.unused();
    log(`[path ${this.name}] stream is not available any more`);
  }

  #refuseWaiting(reason: string): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new PathError(reason));
    this.#leaveIfIdle();
  }

  #leaveIfIdle(): void {
    const used = this.#publisher ?? this.#source ?? (this.#waiting.length > 0 || this.#readers.size > 0);
    if (!used && !this.#closed && this.isExpression) this.#options.idle(this);
  }

  #run(name: keyof PathConfig & string, variables: HookEnvironment, restart = false): Hook | undefined {
    const { matches, rtspPort, hooks } = this.#options;
    const groups = matches.slice(1).map((group, index) => [`G${index + 1}`, group] as const);
    const env = { MTX_PATH: this.name, RTSP_PATH: this.name, RTSP_PORT: rtspPort, ...Object.fromEntries(groups) };
    return hooks.run(`[path ${this.name}] ${name}`, String(this.#config[name]), { ...env, ...variables }, restart);
  }
}

/** The real server escapes a query once more: `x=1` becomes `x%3D1`. */
const escapeQuery = (query: string): string =>
  encodeURIComponent(query)
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
