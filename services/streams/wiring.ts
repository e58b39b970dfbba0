import { isDeepStrictEqual } from 'node:util';
import type { camerasContract } from '../../shared/contracts/cameras.contract.ts';
import { type Call, Failure, type ResultOf } from '../../shared/contracts/index.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Vault } from '../../shared/runtime/vault.ts';
import { change } from '../../shared/store/change.ts';
import { type Collection, Duplicate, type Fresh } from '../../shared/store/collection.ts';
import { every } from '../../shared/store/every.ts';
import { viewerNameProblem } from './media/index.ts';
import { type CameraStream, deviceContext, sourceContext } from './streams.store.ts';

type Wired = ResultOf<(typeof camerasContract)['modules']['cameras']['actions']['wiring']>['items'][number];

/** What brings a record in step with its camera. */
type Step =
  | { do: 'unwant' }
  | { do: 'create'; path: string }
  | { do: 'change'; path: string; patch: Partial<CameraStream> };

/** Milliseconds between full comparisons, which find what no event told. */
const syncEveryMs = 60_000;
const retryMs = 1_000;
/** By when the other services are found, as a rule. Cameras that are known need no comparison to go on. */
const firstMs = 1_500;

export interface WiringDeps {
  streams: Collection<CameraStream>;
  call: Call;
  vault: Vault;
  /** Its owner, or who should own it, looks at it. */
  wake(camera: string): void;
  log: Log;
}

/** Keeps the records of streams in step with the cameras: a camera that is enabled and has a path has one. */
export class Wiring {
  readonly #deps: WiringDeps;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: WiringDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#schedule(firstMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** After an event of the camera. */
  async camera(id: string): Promise<void> {
    const wired = await this.#ask(id);
    if (wired) await this.#settle(wired);
    else await this.#unwant(id);
  }

  #schedule(ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#running = this.#syncAll().then(
        () => this.#schedule(syncEveryMs),
        (err) => {
          this.#deps.log.debug({ err }, 'the cameras could not be read; it is tried again');
          this.#schedule(retryMs);
        },
      );
    }, ms);
    this.#timer.unref();
  }

  async #syncAll(): Promise<void> {
    const there = new Set<string>();
    for (let page = 1; !this.#stopped; page += 1) {
      const { items, total } = await this.#deps.call('cameras.wiring', { payload: { page } });
      for (const wired of items) {
        there.add(wired.id);
        await this.#compare(wired).catch((err) => this.#skip(wired.id, err));
      }
      if (items.length === 0 || there.size >= total) break;
    }
    if (this.#stopped) return;
    // Pages may shift while they are read: what seems to be gone is asked for by itself.
    for await (const { id } of every(this.#deps.streams, { wanted: true }))
      if (!there.has(id)) await this.camera(id).catch((err) => this.#skip(id, err));
  }

  async #ask(id: string): Promise<Wired | undefined> {
    try {
      const { items } = await this.#deps.call('cameras.wiring', { entity: id });
      return items[0];
    } catch (error) {
      if (error instanceof Failure && error.type === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** A page may be old by the time its cameras are looked at: what seems to be out of step is asked for by itself. */
  async #compare(wired: Wired): Promise<void> {
    if (await this.#step(wired)) await this.camera(wired.id);
  }

  async #settle(wired: Wired): Promise<void> {
    const step = await this.#step(wired);
    if (!step) return;
    if (step.do === 'unwant') return this.#unwant(wired.id);
    const { path } = step;
    if (step.do === 'create') return this.#create(wired, path);
    const { patch } = step;
    const wanted = change(this.#deps.streams, wired.id, (now) => (now.path === path ? { ...patch, wanted: true } : {}));
    // Its record went a moment ago: it was being taken away, and is wanted again.
    if (await isThere(wanted)) this.#deps.wake(wired.id);
    else await this.#create(wired, path);
  }

  async #step(wired: Wired): Promise<Step | null> {
    const path = wired.mtx_path;
    const current = await this.#deps.streams.get(wired.id);
    if (!wired.is_enabled || path === null || viewerNameProblem(path) !== null) return current && { do: 'unwant' };
    if (!current) return { do: 'create', path };
    // Another path or source is another stream: the next comparison makes it once this one is gone.
    if (current.path !== path || !this.#isSameSource(current, wired)) return { do: 'unwant' };
    const { name, is_persistent: persistent, protocols, sealedSource } = wired;
    const patch = { name, persistent, protocols, sealedSource };
    const isInStep = current.wanted && isDeepStrictEqual({ ...current, ...patch }, current);
    return isInStep ? null : { do: 'change', path, patch };
  }

  async #create(wired: Wired, path: string): Promise<void> {
    try {
      await this.#deps.streams.insert(fresh(wired, path, this.#deps.vault));
    } catch (error) {
      // Another process made it, or the path is still that of a camera that goes: a later comparison makes it.
      if (!(error instanceof Duplicate)) throw error;
      if (error.key === 'path') this.#soon();
    }
    this.#deps.wake(wired.id);
  }

  async #unwant(id: string): Promise<void> {
    if (await isThere(change(this.#deps.streams, id, ({ wanted }) => (wanted ? { wanted: false } : {})))) this.#soon();
    this.#deps.wake(id);
  }

  /** One camera that cannot be compared keeps none of the others from it. */
  #skip(camera: string, err: unknown): void {
    this.#deps.log.warn({ err, camera }, 'a camera could not be compared');
  }

  /** Sealed with another key it is another text. */
  #isSameSource(current: CameraStream, { id, sealedSource, credentialId, uid }: Wired): boolean {
    const { vault } = this.#deps;
    if (current.credentialId !== credentialId) return false;
    if (vault.open(current.sealedDevice, deviceContext(id)) !== uid) return false;
    if (current.sealedSource === sealedSource) return true;
    const opened = (sealed: string | null) => sealed && vault.open(sealed, sourceContext(id));
    return opened(current.sealedSource) === opened(sealedSource);
  }

  /** After the comparison that runs, as that one sets the time of the next. */
  #soon(): void {
    void this.#running.then(() => this.#schedule(retryMs));
  }
}

/** Whether there was a record to change. */
const isThere = (changed: Promise<CameraStream>): Promise<boolean> =>
  changed.then(
    () => true,
    (error) => {
      if (error instanceof Failure && error.type === 'NOT_FOUND') return false;
      throw error;
    },
  );

const fresh = (wired: Wired, path: string, vault: Vault): Fresh<CameraStream> => ({
  id: wired.id,
  name: wired.name,
  path,
  persistent: wired.is_persistent,
  credentialId: wired.credentialId,
  sealedDevice: vault.seal(wired.uid, deviceContext(wired.id)),
  protocols: wired.protocols,
  sealedSource: wired.sealedSource,
  wanted: true,
  owner: null,
  fence: 0,
  feeds: 0,
  server: null,
  demanded: false,
  demandedAt: null,
  publisher: null,
  state: 'idle',
  problem: null,
  failures: 0,
  retryAt: null,
  feed: null,
  next: null,
  kickedAt: null,
});
