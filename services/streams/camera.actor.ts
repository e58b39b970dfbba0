import { type EventDetails, Failure } from '../../shared/contracts/index.ts';
import { Dropped } from '../../shared/mailbox/mailboxes.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { change } from '../../shared/store/change.ts';
import type { Emit } from '../deps.ts';
import { CameraPicture } from './camera.picture.ts';
import {
  decide,
  extensionRetry,
  failedStart,
  feedKind,
  granted,
  maxFailedExtensions,
  moved,
  noPicture,
  stopped,
} from './camera.rules.ts';
import type { Closings } from './closings.ts';
import { feedName } from './media/index.ts';
import type { Ownership } from './ownership.ts';
import type { Paths } from './paths.ts';
import type { Pictures } from './pictures/pictures.ts';
import { type Opened, Refused, type Sessions } from './sessions.ts';
import { type CameraStream, type Feed, feedsOf, type StreamsStore } from './streams.store.ts';

/** Steps of one camera in a row before others have their turn. */
const maxSteps = 12;
const pauseWithoutServerMs = 1_000;

export interface ActorDeps {
  store: Pick<StreamsStore, 'streams' | 'viewings'>;
  ownership: Ownership;
  sessions: Sessions;
  closings: Pick<Closings, 'add'>;
  paths: Paths;
  pictures: Pick<Pictures, 'show' | 'hide'>;
  emit: Emit;
  log: Log;
}

/** Another process owns the camera by now. */
class Fenced extends Error {
  override readonly name = 'Fenced';
}

type Patch = Partial<CameraStream>;

/**
 * What the owner of a camera does: it looks at the record, decides (`camera.rules.ts`), acts, and looks again. Whatever
 * has to survive is in the record before the media server hears of it, so the next owner goes on from there.
 */
export class CameraActor {
  readonly #deps: ActorDeps;
  readonly #picture: CameraPicture;

  constructor(deps: ActorDeps) {
    this.#deps = deps;
    this.#picture = new CameraPicture(deps);
  }

  /** @returns milliseconds until the next look; null for none */
  async run(camera: string): Promise<number | null> {
    const { store, ownership } = this.#deps;
    try {
      for (let steps = 0; steps < maxSteps; steps += 1) {
        const stream = await store.streams.get(camera);
        if (!stream) ownership.forget(camera);
        if (!stream || !ownership.holds(stream)) break;
        const wait = await this.#step(stream);
        if (wait !== 'again') return sooner(wait, this.#picture.look(stream));
        if (steps === maxSteps - 1) return 0;
      }
    } catch (error) {
      if (!isOver(error)) throw error;
    }
    this.#picture.hide(camera);
    return null;
  }

  /** @returns 'again', or milliseconds to rest for, null: until something happens */
  async #step(stream: CameraStream): Promise<number | null | 'again'> {
    const now = Date.now();
    const serverLives = stream.server !== null && this.#deps.paths.lives(stream.server);
    const step = decide(stream, { now, serverLives });
    switch (step.do) {
      case 'rest':
        return step.until === null ? null : Math.max(step.until - now, 1);
      case 'place':
        return this.#place(stream);
      case 'remove':
        return this.#remove(stream);
      case 'start':
        await this.#picture.during(stream, () => this.#begin(stream, 'feed'));
        return 'again';
      case 'replace':
        await this.#begin(stream, 'next');
        return 'again';
      case 'extend':
        await this.#extend(stream, stream.feed as Feed);
        return 'again';
      case 'promote':
        await this.#promote(stream, stream.feed as Feed, stream.next as Feed);
        return 'again';
      case 'abandon':
        await this.#end(stream, [stream.next as Feed], () => ({ next: null, ...failed(stream, silent) }));
        return 'again';
      case 'restart':
        await this.#end(stream, [stream.feed as Feed], () => ({ feed: null, ...failed(stream, silent) }));
        return 'again';
      case 'doubt':
        await this.#write(stream, () => ({ state: 'failed', problem: noPicture }));
        return 'again';
      case 'stop':
        await this.#end(stream, feedsOf(stream), stopped);
        return 'again';
    }
  }

  async #place(stream: CameraStream): Promise<number | 'again'> {
    const { paths } = this.#deps;
    const server = await paths.choose(stream);
    if (!server) {
      const problem = 'No media server is reachable';
      if (stream.problem !== problem) await this.#write(stream, () => ({ state: 'failed', problem }));
      return pauseWithoutServerMs;
    }
    const now = new Date().toISOString();
    const placed = await this.#write(stream, (current) => ({
      server,
      // Who waited on the lost server comes back within moments, or is not waited for.
      demandedAt: current.demanded ? now : null,
      publisher: null,
      state: current.feed ? 'starting' : 'idle',
      problem: null,
      feed: current.feed && moved(current.feed, now),
      next: current.next && moved(current.next, now),
    }));
    // Who watched on the server of before does not any more.
    if (stream.server !== null && stream.server !== server) {
      await this.#deps.store.viewings.deleteMany({ camera: stream.id, server: stream.server });
    }
    await paths.put(placed);
    for (const feed of feedsOf(stream)) if (feed.kind === 'google-webrtc') this.#deps.closings.add(stream, feed);
    return 'again';
  }

  async #begin(stream: CameraStream, slot: 'feed' | 'next'): Promise<void> {
    const { sessions, closings, paths } = this.#deps;
    const kind = feedKind(stream);
    const name = feedName(stream.id, stream.fence, stream.feeds + 1);
    let opened: Opened | null = null;
    try {
      if (kind !== 'google-webrtc') opened = await sessions.open(stream);
    } catch (error) {
      if (error instanceof Dropped) throw error;
      await this.#write(stream, () => failed(stream, error));
      return;
    }
    const now = Date.now();
    const feed: Feed = {
      name,
      kind,
      sealed: opened && sessions.seal(stream, name, opened),
      startedAt: new Date(now).toISOString(),
      ...granted(now, opened?.expiresAt ?? null, Math.random()),
      isExtendable: true,
      ready: false,
      lostAt: null,
    };
    const starting = slot === 'feed' ? { state: 'starting' as const, problem: null } : {};
    const noted = this.#write(stream, (current) => ({ [slot]: feed, feeds: current.feeds + 1, ...starting }));
    const begun = await noted.catch((error: unknown) => {
      // Nobody knows of the session: it would only use up the camera.
      closings.add(stream, feed);
      throw error;
    });
    await paths.putFeed(begun, feed);
  }

  async #extend(stream: CameraStream, feed: Feed): Promise<void> {
    const { sessions } = this.#deps;
    let opened: Opened;
    try {
      opened = await sessions.extend(stream, feed);
    } catch (error) {
      if (error instanceof Dropped) throw error;
      return this.#notExtended(stream, feed, error);
    }
    const expiresAt = opened.expiresAt as string;
    // On battery the end does not move on (Device Access, battery camera): another session has to take over.
    const isExtendable = Date.parse(expiresAt) > Date.parse(feed.expiresAt as string);
    await this.#writeFeed(stream, feed, {
      sealed: sessions.seal(stream, feed.name, opened),
      ...granted(Date.now(), expiresAt, Math.random()),
      isExtendable,
    });
    await this.#tell(stream, 'extended', { name: stream.name, expiresAt });
  }

  async #notExtended(stream: CameraStream, feed: Feed, error: unknown): Promise<void> {
    const refused = error instanceof Refused ? error : new Refused('unavailable', messageOf(error), null);
    const isLost = refused.reason === 'session-lost' || refused.reason === 'gone';
    await this.#writeFeed(stream, feed, {
      failedExtensions: isLost ? maxFailedExtensions : feed.failedExtensions + 1,
      isExtendable: feed.isExtendable && refused.reason !== 'unsupported',
      extendAt: extensionRetry(Date.now(), feed.expiresAt as string, refused.retryAfterMs, Math.random()),
    });
    await this.#tell(stream, 'failed-extension', { name: stream.name, error: refused.message });
  }

  /** A session goes on whether or not its event can be stored. */
  async #tell<E extends 'extended' | 'failed-extension'>(
    { id }: CameraStream,
    event: E,
    details: EventDetails<'camera', E>,
  ): Promise<void> {
    const { emit, log } = this.#deps;
    await emit('camera', event, id, details).catch((err) =>
      log.warn({ err, camera: id, event }, 'an event was not stored'),
    );
  }

  /** The old path goes at once: its forward would try to take its place back. */
  #promote(stream: CameraStream, old: Feed, next: Feed): Promise<void> {
    return this.#end(stream, [old], (current) => ({
      feed: current.next?.name === next.name ? current.next : next,
      next: null,
      failures: 0,
      retryAt: null,
      problem: null,
    }));
  }

  /** Nobody brings the paths of an unwanted camera back; what is left to take away stays in the record until it is. */
  async #remove(stream: CameraStream): Promise<'again' | null> {
    const { store, ownership, closings } = this.#deps;
    const feeds = feedsOf(stream);
    for (const name of [stream.path, ...feeds.map((feed) => feed.name)]) await this.#removePath(stream, name);
    await store.viewings.deleteMany({ camera: stream.id });
    // Wanted again meanwhile, it has no place and begins anew.
    const nowhere = { server: null, demanded: false, demandedAt: null };
    const gone = await this.#write(stream, (current) => ({
      ...nowhere,
      ...stopped(current),
      failures: 0,
      retryAt: null,
    }));
    for (const feed of feeds) closings.add(stream, feed);
    if (gone.wanted || !(await store.streams.delete(stream.id, gone.version))) return 'again';
    ownership.forget(stream.id);
    return null;
  }

  /** The record forgets the sessions first, so that nobody brings their paths back. */
  async #end(stream: CameraStream, feeds: readonly Feed[], patch: (current: CameraStream) => Patch): Promise<void> {
    await this.#write(stream, patch);
    for (const feed of feeds) {
      await this.#removePath(stream, feed.name);
      this.#deps.closings.add(stream, feed);
    }
  }

  /** @throws Fenced where this process stood still meanwhile: what it was about to take away may be the next owner's */
  async #removePath(stream: CameraStream, name: string): Promise<void> {
    const { paths, ownership } = this.#deps;
    if (!ownership.mayStillAct(stream)) throw new Fenced();
    await paths.remove(stream, name);
  }

  #writeFeed(stream: CameraStream, feed: Feed, patch: Partial<Feed>): Promise<CameraStream> {
    return this.#write(stream, (current) =>
      current.feed?.name === feed.name ? { feed: { ...current.feed, ...patch } } : {},
    );
  }

  /** Facts that others wrote meanwhile are kept. @throws Fenced where the camera is another's by now */
  #write(stream: CameraStream, patch: (current: CameraStream) => Patch): Promise<CameraStream> {
    return change(this.#deps.store.streams, stream.id, (current) => {
      if (!this.#deps.ownership.holds(current)) throw new Fenced();
      return patch(current);
    });
  }
}

const sooner = (one: number | null, other: number | null): number | null =>
  one === null ? other : Math.min(one, other ?? one);

const silent = new Error(noPicture);

function failed(stream: CameraStream, why: unknown): Patch {
  const refused = why instanceof Refused ? why : { message: messageOf(why) };
  const state = stream.feed?.ready === true ? {} : { state: 'failed' as const };
  return { ...failedStart(stream, refused, Date.now(), Math.random()), ...state };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300);
/** The camera is another's by now, or nobody's. */
const isOver = (error: unknown): boolean =>
  error instanceof Fenced || error instanceof Dropped || (error instanceof Failure && error.type === 'NOT_FOUND');
