import type { Log } from '../../../shared/runtime/log.ts';
import { globalsProblem, hasGlobals, wantedGlobals } from './globals.rules.ts';
import { freePathName, type HookContext } from './hooks.rules.ts';
import { lane } from './lane.ts';
import type { MediaApi } from './media.api.ts';
import { isMediaError, MediaError, PathTaken } from './media.error.ts';
import type { Globals } from './media.schemas.ts';
import {
  byUrgency,
  canaryName,
  canaryPath,
  difference,
  hasForeignFreePath,
  isOurs,
  type PathConf,
} from './paths.rules.ts';

/** Paths by name. */
export type Wanted = ReadonlyMap<string, PathConf>;

export interface ReconcilerOptions {
  api: MediaApi;
  context: HookContext;
  /** Paths the server should have. It is asked after the server was, so whoever wants a path says so here first. */
  wanted(): Promise<Wanted>;
  log: Log;
}

const retryDelays = [200, 1_000] as const;

/** Brings one server to the wanted state, one call at a time. What is not ours it never touches. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #lane = lane();
  readonly #canary: string;
  /** Names that are on the server and ours, as far as we know. */
  readonly #known = new Set<string>();
  /** Wanted names that somebody else's paths have, as far as we know. */
  readonly taken = new Set<string>();
  /** Names changed since the running comparison began: what it found out about them is old. */
  #touched = new Set<string>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#canary = canaryName(options.context.installation);
  }

  /**
   * Sets right what differs in the globals. To be called before any path is added: until then everybody may read.
   * @throws MediaError 'refused', with the problem as message, where the server cannot be used at all
   */
  globals(): Promise<Globals> {
    return this.#lane.run(() => patiently(() => this.#setGlobals()), true);
  }

  /** Compares the paths and sets right what differs; what is watched comes first. @throws MediaError */
  async all(): Promise<void> {
    const { log } = this.#options;
    this.#touched = new Set();
    const { want, changes } = await this.#lane.run(() => this.#compare());
    this.taken.clear();
    for (const name of changes.taken) this.taken.add(name);
    for (const name of changes.taken) log.warn({ path: name }, 'media server has a path of this name already');
    for (const name of changes.delete) await this.#settle(name, () => this.#erase(name));
    for (const name of byUrgency([...changes.replace, ...changes.add], want)) {
      await this.#settle(name, () => this.#write(name, want.get(name) as PathConf));
    }
  }

  /** One call, unless the name is new to us and taken. Goes before the rest of a comparison. @throws MediaError */
  put(name: string, conf: PathConf): Promise<void> {
    this.#touched.add(name);
    return this.#lane.run(() => patiently(() => this.#write(name, conf)), true);
  }

  /** One call, or two where the name is new to us; what is not ours stays. @throws MediaError */
  remove(name: string): Promise<void> {
    this.#touched.add(name);
    return this.#lane.run(() => patiently(() => this.#erase(name)), true);
  }

  /** One call: whether the server still has our paths. @throws MediaError */
  async intact(): Promise<boolean> {
    return (await this.#options.api.configPath(this.#canary)) !== null;
  }

  async #setGlobals(): Promise<Globals> {
    const { api, context, log } = this.#options;
    const found = await api.globals();
    const problem = globalsProblem(found, context.installation);
    if (problem) throw new MediaError('refused', problem);
    const wish = wantedGlobals(context);
    if (hasGlobals(found, wish)) return found;
    await api.patchGlobals(wish);
    log.info('media server now asks this Trigate who may read');
    return { ...found, ...wish };
  }

  /** What the server should have, and what is to be done about what it has. */
  async #compare() {
    const { api, context, wanted } = this.#options;
    const found = new Map((await api.configPaths()).map((path) => [path.name, path]));
    const want = new Map(await wanted());
    if (hasForeignFreePath(found, context.installation)) want.delete(freePathName);
    // The last to be added: it tells that the others are there.
    want.delete(this.#canary);
    want.set(this.#canary, canaryPath(context));
    this.#known.clear();
    for (const [name, conf] of found) if (isOurs(conf, context.installation)) this.#known.add(name);
    return { want, changes: difference(want, found, context.installation) };
  }

  /** One change of a comparison. Refusals of single paths do not keep the others from being set right. */
  #settle(name: string, change: () => Promise<void>): Promise<void> {
    return this.#lane.run(async () => {
      if (this.#touched.has(name)) return;
      await patiently(change).catch((error) => {
        if (!isMediaError(error, 'refused') || name === this.#canary) throw error;
        this.#options.log.warn({ path: name, reason: error.message }, 'media server refused a path');
      });
    });
  }

  async #write(name: string, conf: PathConf): Promise<void> {
    const { api, context } = this.#options;
    if (!this.#known.has(name)) {
      if (await this.#added(name, conf)) return;
      const there = await this.#appearing(name);
      if (there && !isOurs(there, context.installation)) {
        this.taken.add(name);
        throw new PathTaken(name);
      }
    }
    await api.replacePath(name, conf);
    this.#has(name);
  }

  /** Whether it was; false where the name is taken. */
  async #added(name: string, conf: PathConf): Promise<boolean> {
    try {
      await this.#options.api.addPath(name, conf);
    } catch (error) {
      if (isMediaError(error, 'refused') && /already exists/.test(error.said)) return false;
      throw error;
    }
    this.#has(name);
    return true;
  }

  #has(name: string): void {
    this.#known.add(name);
    this.taken.delete(name);
  }

  /** What another process adds at the same time is there a moment after its name is taken. */
  async #appearing(name: string) {
    for (let turn = 0; turn < 10; turn += 1) {
      const there = await this.#options.api.configPath(name);
      if (there) return there;
      await pause(100);
    }
    return null;
  }

  async #erase(name: string): Promise<void> {
    const { api, context } = this.#options;
    if (!this.#known.has(name)) {
      const there = await api.configPath(name);
      if (!there || !isOurs(there, context.installation)) return;
    }
    await api.deletePath(name);
    this.#known.delete(name);
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The API is away for a moment while the server takes on new globals, and while it restarts. */
async function patiently<T>(task: () => Promise<T>): Promise<T> {
  for (const delay of retryDelays) {
    try {
      return await task();
    } catch (error) {
      if (!isMediaError(error, 'unreachable')) throw error;
    }
    await pause(delay);
  }
  return task();
}
