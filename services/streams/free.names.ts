import type { Call } from '../../shared/contracts/index.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Collection } from '../../shared/store/collection.ts';
import { viewerNameProblem } from './media/index.ts';
import type { Paths } from './paths.ts';
import { publishPicture } from './pictures/picture.publisher.ts';
import type { CameraStream } from './streams.store.ts';

/** Pictures at a time on one media server, from one process. */
const maxPerServer = 50;
/** Milliseconds for which one is shown at most: who still watches asks again, and what nobody ended does not stay. */
const longestMs = 600_000;
/** Milliseconds after a demand within which the end that comes is that of the one before. */
const overtakenMs = 5_000;
/** Milliseconds after a change of cameras until pictures follow: a camera that has the name again comes first. */
const followMs = 2_000;

/** Why there is no camera at a name; `camera`: whose name it is all the same. */
export type Vacancy = { picture: 'missing'; camera: null } | { picture: 'disabled'; camera: string };

export interface FreeNamesDeps {
  call: Call;
  streams: Collection<CameraStream>;
  paths: Pick<Paths, 'freeTarget'>;
  /** The picture may be another process's. */
  ended(server: string, path: string): void;
  log: Log;
}

interface Shown {
  readonly server: string;
  readonly path: string;
  picture: Vacancy['picture'];
  /** Milliseconds, performance.now(). */
  readonly since: number;
  readonly stop: AbortController;
}

/**
 * Names without a camera: gone, renamed, disabled, or never there. Who asks for one, and may, sees a picture that says so
 * for as long as the media server needs it. Whichever process hears of the demand publishes it; what that one leaves
 * behind is asked for again.
 */
export class FreeNames {
  readonly #deps: FreeNamesDeps;
  readonly #shown = new Map<string, Shown>();
  readonly #running = new Set<Promise<void>>();
  #following: NodeJS.Timeout | undefined;
  #over = false;

  constructor(deps: FreeNamesDeps) {
    this.#deps = deps;
  }

  /** Null where a camera has the name, or none can. @throws Failure UNAVAILABLE */
  async vacancy(path: string): Promise<Vacancy | null> {
    if (viewerNameProblem(path) !== null) return null;
    const { streams, call } = this.#deps;
    if ((await streams.count({ path })) > 0) return null;
    const { items } = await call('cameras.wiring', { payload: { mtx_path: path } });
    const [camera] = items;
    if (!camera) return { picture: 'missing', camera: null };
    return camera.is_enabled ? null : { picture: 'disabled', camera: camera.id };
  }

  /** The media server waits for something at the name. */
  async demand(server: string, path: string): Promise<void> {
    const vacancy = await this.vacancy(path);
    const target = vacancy && this.#deps.paths.freeTarget(server, path);
    if (!target || this.#over || !this.#hasRoom(server, path)) return;
    const key = keyOf(server, path);
    this.#shown.get(key)?.stop.abort();
    const stop = new AbortController();
    const shown = { server, path, picture: vacancy.picture, since: performance.now(), stop };
    this.#shown.set(key, shown);
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(longestMs)]);
    const running = publishPicture({ ...target, picture: () => shown.picture, signal }).then(({ why, detail }) => {
      this.#running.delete(running);
      if (this.#shown.get(key) === shown) this.#shown.delete(key);
      if (why === 'stopped' || why === 'taken over') return;
      this.#deps.log.warn({ server, path, why, detail }, 'the picture at a name without a camera is not shown');
    });
    this.#running.add(running);
  }

  /** Nobody is left. */
  unDemand(server: string, path: string): void {
    if (!this.end(server, path)) this.#deps.ended(server, path);
  }

  /** @returns whether the picture is this process's */
  end(server: string, path: string): boolean {
    const shown = this.#shown.get(keyOf(server, path));
    if (shown && performance.now() - shown.since >= overtakenMs) this.#hide(shown);
    return shown !== undefined;
  }

  /** A camera was added, changed or deleted: what is shown may be untrue soon. */
  changed(): void {
    if (this.#shown.size === 0 || this.#over) return;
    this.#following ??= setTimeout(() => {
      this.#following = undefined;
      for (const shown of this.#shown.values()) this.#follow(shown).catch(() => {});
    }, followMs);
  }

  async stop(): Promise<void> {
    this.#over = true;
    clearTimeout(this.#following);
    for (const shown of this.#shown.values()) this.#hide(shown);
    await Promise.all(this.#running);
  }

  /** Who sees another reason goes on; with a camera there again viewers are cut, so that they come back to it. */
  async #follow(shown: Shown): Promise<void> {
    const vacancy = await this.vacancy(shown.path);
    if (vacancy) shown.picture = vacancy.picture;
    else this.#hide(shown);
  }

  #hide(shown: Shown): void {
    shown.stop.abort();
    const key = keyOf(shown.server, shown.path);
    if (this.#shown.get(key) === shown) this.#shown.delete(key);
  }

  #hasRoom(server: string, path: string): boolean {
    const others = [...this.#shown.values()].filter((one) => one.server === server && one.path !== path);
    if (others.length < maxPerServer) return true;
    this.#deps.log.warn({ server, limit: maxPerServer }, 'no more pictures are shown at names without a camera');
    return false;
  }
}

const keyOf = (server: string, path: string): string => `${server} ${path}`;
