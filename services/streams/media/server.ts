import type { Log } from '../../../shared/runtime/log.ts';
import type { FleetEvent, MediaServer, Protocols } from './fleet.types.ts';
import { ownRtsp, protocolsOf, versionProblem } from './globals.rules.ts';
import type { HookContext } from './hooks.rules.ts';
import { type MediaApi, mediaApi, type Session, type SessionKind } from './media.api.ts';
import { isMediaError, MediaError } from './media.error.ts';
import type { LivePath } from './media.schemas.ts';
import { isOurs, type PathConf } from './paths.rules.ts';
import { Reconciler, type Wanted } from './reconciler.ts';
import { sharedLookup } from './shared.lookup.ts';

/** Milliseconds. */
export interface Timing {
  /** Between two questions whether the server lives, and the limit of each. */
  poll: number;
  /** Without an answer until it counts as dead. */
  dead: number;
  /** Between two looks whether our paths are still there. */
  intact: number;
  /** Between two full comparisons. */
  all: number;
  /** Age of live state. */
  live: number;
}
export const timing: Timing = { poll: 1_000, dead: 3_000, intact: 2_000, all: 60_000, live: 2_000 };

export interface ServerOptions {
  apiUrl: string;
  address: string;
  host: string;
  context: HookContext;
  wanted(): Promise<Wanted>;
  emit(event: FleetEvent): void;
  log: Log;
  timing: Timing;
}

/** Between attempts at a comparison that fails: doubled from the first to the last. */
const [firstPause, lastPause] = [1_000, 10_000];
/** Milliseconds for which it stays known whose a path is. */
const whoseMs = 100;

/** A media server, its control API watched and its paths kept. */
export class WatchedServer implements MediaServer {
  readonly id: string;
  readonly address: string;
  readonly host: string;
  readonly api: MediaApi;
  readonly paths: () => Promise<ReadonlyMap<string, LivePath>>;
  readonly sessions: () => Promise<Session[]>;
  alive = false;
  problem: string | null = 'The media server has not answered yet';
  version: string | null = null;
  started: string | null = null;
  protocols: Protocols | null = null;
  rtsp: string | null = null;

  readonly #options: ServerOptions;
  readonly #reconciler: Reconciler;
  readonly #whose = new Map<string, ReturnType<MediaServer['whose']>>();
  /** `started` of the life whose paths we have seen to. */
  #settled: string | null = null;
  #answered = performance.now();
  #nextAll = 0;
  #nextLook = 0;
  #retryAt = 0;
  #pause: number = firstPause;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #watching = Promise.resolve();
  #comparing: Promise<void> | undefined;

  constructor(options: ServerOptions) {
    const { apiUrl, address, host, context, log, wanted } = options;
    const api = mediaApi(apiUrl);
    this.#options = options;
    this.id = context.server;
    this.address = address;
    this.host = host;
    this.api = api;
    this.#reconciler = new Reconciler({ api, context, wanted, log });
    const { live } = options.timing;
    this.paths = sharedLookup(async () => new Map((await api.paths()).map((path) => [path.name, path])), live);
    this.sessions = sharedLookup(async () => {
      const lists = sessionKindsOf(this.protocols).map((kind) => api.sessions(kind));
      return (await Promise.all(lists)).flat();
    }, live);
  }

  start(): void {
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#watching;
    this.api.close();
    await this.#comparing?.catch(() => {});
  }

  get taken(): ReadonlySet<string> {
    return this.#reconciler.taken;
  }

  whose(name: string): ReturnType<MediaServer['whose']> {
    const asked = this.#whose.get(name) ?? this.#askWhose(name);
    this.#whose.set(name, asked);
    return asked;
  }

  put(name: string, conf: PathConf): Promise<void> {
    return this.#change(() => this.#reconciler.put(name, conf));
  }

  remove(name: string): Promise<void> {
    return this.#change(() => this.#reconciler.remove(name));
  }

  reconcile(): Promise<void> {
    return this.#change(() => this.#compare(false));
  }

  async #askWhose(name: string) {
    try {
      const found = await this.api.configPath(name, true);
      if (!found) return 'nobody';
      return isOurs(found, this.#options.context.installation) ? 'ours' : 'foreign';
    } finally {
      setTimeout(() => this.#whose.delete(name), whoseMs).unref();
    }
  }

  /** A change that does not arrive is made good by a comparison. */
  async #change(make: () => Promise<void>): Promise<void> {
    if (!this.alive) throw new MediaError('unreachable', this.problem ?? 'The media server cannot be used');
    try {
      await make();
    } catch (error) {
      if (!isMediaError(error, 'refused')) this.#nextAll = 0;
      throw error;
    }
  }

  async #watch(): Promise<void> {
    const { timing } = this.#options;
    const begun = performance.now();
    await this.#look().catch((error: Error) => {
      if (isMediaError(error, 'unreachable') && performance.now() - this.#answered < timing.dead) return;
      this.#fall(error.message);
    });
    const rest = Math.max(0, begun + timing.poll - performance.now());
    if (!this.#stopped) this.#timer = setTimeout(() => this.start(), rest).unref();
  }

  async #look(): Promise<void> {
    const { timing } = this.#options;
    const info = await this.api.info(timing.poll);
    this.#answered = performance.now();
    this.version = info.version;
    this.started = info.started;
    const older = versionProblem(info.version);
    if (older) return this.#fall(older);
    if (!this.alive || info.started !== this.#settled) return this.#settle(false);
    const now = performance.now();
    if (now >= this.#nextLook) {
      this.#nextLook = now + timing.intact;
      if (!(await this.#reconciler.intact())) return this.#settle(true);
    }
    if (now >= this.#nextAll) this.#settle(false);
  }

  /** Begins a comparison, unless one runs or failed a moment ago. Watching goes on meanwhile. */
  #settle(lost: boolean): void {
    if (this.#comparing || performance.now() < this.#retryAt) return;
    const { log } = this.#options;
    this.#compare(lost).catch((error: Error) => {
      this.#retryAt = performance.now() + this.#pause;
      this.#pause = Math.min(this.#pause * 2, lastPause);
      if (isMediaError(error, 'refused')) return this.#fall(error.message);
      if (!isMediaError(error, 'unreachable')) log.warn({ reason: error.message }, 'media server was not compared');
      if (!this.alive) this.problem = error.message;
    });
  }

  /** One comparison at a time; those who ask meanwhile wait for the same. */
  #compare(lost: boolean): Promise<void> {
    this.#comparing ??= this.#compareNow(lost).finally(() => {
      this.#comparing = undefined;
    });
    return this.#comparing;
  }

  async #compareNow(lost: boolean): Promise<void> {
    const { timing, emit } = this.#options;
    const { started } = this;
    const globals = await this.#reconciler.globals();
    this.protocols = protocolsOf(globals);
    this.rtsp = ownRtsp(globals);
    this.#rise();
    await this.#reconciler.all();
    this.#nextAll = performance.now() + timing.all;
    // A write is answered a little before the server has taken it on.
    this.#nextLook = performance.now() + timing.intact;
    this.#pause = firstPause;
    const restarted = this.#settled !== null && started !== this.#settled;
    this.#settled = started;
    if ((lost || restarted) && !this.#stopped) emit('restarted');
  }

  #rise(): void {
    if (this.alive || this.#stopped) return;
    this.alive = true;
    this.problem = null;
    this.#options.log.info({ version: this.version }, 'media server can be used');
    this.#options.emit('alive');
  }

  #fall(problem: string): void {
    const changed = this.problem !== problem;
    this.problem = problem;
    if (!this.alive && !changed) return;
    this.#options.log.warn({ problem }, 'media server cannot be used');
    if (!this.alive) return;
    this.alive = false;
    this.#options.emit('dead');
  }
}

/** RTSP and RTMP have a list for those who came encrypted; a list whose protocol is off is empty. */
function sessionKindsOf(protocols: Protocols | null): SessionKind[] {
  const { rtsp, rtmp, hls, webrtc, srt } = protocols ?? ({} as Partial<Protocols>);
  return [
    ...(rtsp ? (['rtspsessions', 'rtspssessions'] as const) : []),
    ...(rtmp ? (['rtmpconns', 'rtmpsconns'] as const) : []),
    ...(hls ? (['hlssessions'] as const) : []),
    ...(webrtc ? (['webrtcsessions'] as const) : []),
    ...(srt ? (['srtconns'] as const) : []),
  ];
}
