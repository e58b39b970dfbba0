import type { Log } from '../../shared/runtime/log.ts';
import { ownerOf } from '../../shared/runtime/rendezvous.ts';
import type { Collection } from '../../shared/store/collection.ts';
import { every, sideBySide } from '../../shared/store/every.ts';
import type { Members } from './members.ts';
import type { CameraStream } from './streams.store.ts';

/** Milliseconds between looks at all cameras, which find what no notice told. */
const sweepEveryMs = 5_000;
/** Cameras of a sweep that are written at a time: those of a process that died should not wait for each other. */
const atATime = 32;

export interface OwnershipDeps {
  streams: Collection<CameraStream>;
  members: Members;
  /** Something may be to do for a camera of this process. */
  wake(camera: string): void;
  /** A camera was given back: whose it is now should look. */
  freed(camera: string): void;
  log: Log;
}

/** The number under which a camera was taken. A record that is made anew counts from the beginning. */
type Held = Pick<CameraStream, 'createdAt' | 'fence'>;

/**
 * Which cameras this process may act for. A camera belongs to one process of those that live; who takes it raises its
 * fencing number, and every later write names it: one that was taken from finds its writes refused.
 */
export class Ownership {
  readonly #deps: OwnershipDeps;
  readonly #held = new Map<string, Held>();
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  #again = false;
  #member = '';
  #stopped = false;

  constructor(deps: OwnershipDeps) {
    this.#deps = deps;
    deps.members.onChange(() => this.sweep());
  }

  start(): void {
    this.#timer = setInterval(() => this.sweep(), sweepEveryMs);
    this.#timer.unref();
    this.sweep();
  }

  /** Gives back what it owns; nothing may act for a camera any more when this is called. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#sweeping;
    const owned = [...this.#held.keys()];
    this.#held.clear();
    await Promise.allSettled(
      owned.map(async (camera) => {
        const stream = await this.#deps.streams.get(camera);
        if (stream?.owner === this.#deps.members.id) await this.#release(stream);
      }),
    );
  }

  get cameras(): Iterable<string> {
    return this.#held.keys();
  }

  /** The number under which this process may act for the camera now; undefined where it may not. */
  fenceOf(camera: string): number | undefined {
    return this.#deps.members.mayAct() ? this.#held.get(camera)?.fence : undefined;
  }

  /** Whether this process still owns the camera as it did when it read the record; nothing is asked for it. */
  mayStillAct({ id, fence }: CameraStream): boolean {
    return this.fenceOf(id) === fence;
  }

  /** Whether the record is this process's under the number it knows; where not, it lets the camera go. */
  holds(stream: CameraStream): boolean {
    const fence = this.fenceOf(stream.id);
    const isOurs = stream.owner === this.#deps.members.id && stream.fence === fence;
    if (!isOurs && fence !== undefined && !this.#isOld(stream)) this.#held.delete(stream.id);
    return isOurs;
  }

  forget(camera: string): void {
    this.#held.delete(camera);
  }

  /** A camera that may be new, or may have to go to another process. */
  async look(camera: string): Promise<void> {
    const stream = await this.#deps.streams.get(camera);
    if (stream) await this.#settle(stream);
    else this.#lose(camera);
  }

  /** One at a time; asked for meanwhile, it runs once more. */
  sweep(): void {
    if (this.#stopped) return;
    if (this.#sweeping) {
      this.#again = true;
      return;
    }
    this.#sweeping = this.#sweep()
      .catch((err) => this.#deps.log.warn({ err }, 'the cameras could not be looked through; it is tried again'))
      .finally(() => {
        this.#sweeping = undefined;
        if (this.#again) {
          this.#again = false;
          this.sweep();
        }
      });
  }

  async #sweep(): Promise<void> {
    const { members, streams } = this.#deps;
    if (members.id !== this.#member) for (const camera of [...this.#held.keys()]) this.#lose(camera);
    this.#member = members.id;
    const there = new Set<string>();
    await sideBySide(every(streams), atATime, async (stream) => {
      there.add(stream.id);
      await this.#settle(stream);
    });
    if (this.#stopped) return;
    for (const camera of this.#held.keys()) if (!there.has(camera)) this.#lose(camera);
  }

  async #settle(stream: CameraStream): Promise<void> {
    const { members } = this.#deps;
    if (this.#stopped || !members.mayAct() || this.#isOld(stream)) return;
    const me = members.id;
    const live = members.live();
    const isMine = ownerOf(stream.id, live) === me;
    if (stream.owner === me && this.#held.get(stream.id)?.fence === stream.fence) {
      if (isMine) this.#deps.wake(stream.id);
      else await this.#release(stream);
      return;
    }
    this.#lose(stream.id);
    const isFree = stream.owner === null || stream.owner === me || !live.includes(stream.owner);
    if (isMine && isFree) await this.#take(stream);
  }

  async #take({ id, version, fence }: CameraStream): Promise<void> {
    const { streams, members, wake } = this.#deps;
    const taken = await streams.update(id, version, { owner: members.id, fence: fence + 1 });
    if (!taken) return;
    this.#held.set(id, { createdAt: taken.createdAt, fence: taken.fence });
    wake(id);
  }

  /** Another write in between: the next sweep gives it back. */
  async #release({ id, version }: CameraStream): Promise<void> {
    if (!(await this.#deps.streams.update(id, version, { owner: null }))) return;
    this.#lose(id);
    this.#deps.freed(id);
  }

  /** Read before this process took the camera: it says nothing about whose it is now. */
  #isOld({ id, createdAt, fence }: CameraStream): boolean {
    const held = this.#held.get(id);
    return held !== undefined && held.createdAt === createdAt && held.fence > fence;
  }

  /** A last step finds that nothing is held, and takes away what stood for the camera. */
  #lose(camera: string): void {
    if (this.#held.delete(camera)) this.#deps.wake(camera);
  }
}
