import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Log } from '../../../shared/runtime/log.ts';
import type { PictureName } from './picture.files.ts';
import { type PictureTarget, publishPicture } from './picture.publisher.ts';

export interface PicturesOptions {
  log: Log;
  /** Pictures at a time. */
  limit?: number;
}

interface Shown {
  target: PictureTarget;
  picture: PictureName;
  readonly stop: AbortController;
}

/** Milliseconds before the first further attempt, and between later ones at most. */
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;

/** The pictures that this process shows instead of cameras: at most one for each. */
export class Pictures {
  readonly #log: Log;
  readonly #limit: number;
  readonly #shown = new Map<string, Shown>();
  /** Also those that are being ended. */
  readonly #running = new Set<Promise<void>>();
  #full = false;
  #over = false;

  constructor({ log, limit = 500 }: PicturesOptions) {
    this.#log = log;
    this.#limit = limit;
  }

  /** Cameras whose picture is shown, or is tried to be. */
  get size(): number {
    return this.#shown.size;
  }

  /**
   * Shows a picture until `hide`, or until somebody else publishes on the path: then the camera is forgotten. A server
   * that cannot be reached or refuses is asked again, ever more seldom. Another picture on the same path takes the place
   * of the one before at the next second, and viewers stay; on another path it is a new session.
   */
  show(camera: string, target: PictureTarget, picture: PictureName): void {
    const before = this.#shown.get(camera);
    if (before && isDeepStrictEqual(before.target, target)) {
      before.picture = picture;
      return;
    }
    this.hide(camera);
    if (this.#over || !this.#hasRoom(camera)) return;
    const shown: Shown = { target: { ...target }, picture, stop: new AbortController() };
    this.#shown.set(camera, shown);
    const running = this.#run(camera, shown).then(() => {
      this.#running.delete(running);
      if (this.#shown.get(camera) === shown) this.#shown.delete(camera);
    });
    this.#running.add(running);
  }

  /** Does nothing where none is shown. */
  hide(camera: string): void {
    this.#shown.get(camera)?.stop.abort();
    this.#shown.delete(camera);
  }

  /** Ends all; none is shown afterwards. */
  async stop(): Promise<void> {
    this.#over = true;
    for (const camera of [...this.#shown.keys()]) this.hide(camera);
    await Promise.all(this.#running);
  }

  #hasRoom(camera: string): boolean {
    const full = this.#shown.size >= this.#limit;
    if (full && !this.#full) {
      this.#log.warn({ camera, limit: this.#limit }, 'no more pictures are shown instead of cameras');
    }
    this.#full = full;
    return !full;
  }

  async #run(camera: string, shown: Shown): Promise<void> {
    const { signal } = shown.stop;
    let failures = 0;
    const published = () => {
      failures = 0;
    };
    while (!signal.aborted) {
      const end = await publishPicture({ ...shown.target, picture: () => shown.picture, signal, published });
      if (end.why === 'taken over' || end.why === 'stopped') return;
      failures += 1;
      const { host, port, path } = shown.target;
      const fields = { camera, server: `${host}:${port}`, path, why: end.why, detail: end.detail };
      if (failures === 1) this.#log.warn(fields, 'the picture instead of a camera is not shown; trying again');
      await delay(pauseOf(failures), undefined, { signal }).catch(() => {});
    }
  }
}

/** Milliseconds after so many failures in a row, the last quarter of them by chance: not all come at once. */
const pauseOf = (failures: number): number =>
  Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 10)) * (0.75 + Math.random() / 4);
