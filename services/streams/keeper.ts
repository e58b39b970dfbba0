import type { Log } from '../../shared/runtime/log.ts';
import { ownerOf } from '../../shared/runtime/rendezvous.ts';
import { change } from '../../shared/store/change.ts';
import type { Collection } from '../../shared/store/collection.ts';
import { everyOne } from '../../shared/store/every.ts';
import { isTaken } from './camera.rules.ts';
import { type LivePaths, untold } from './keeper.rules.ts';
import type { Fleet, MediaServer } from './media/index.ts';
import type { Members } from './members.ts';
import type { Paths } from './paths.ts';
import type { CameraStream } from './streams.store.ts';
import type { ViewerTokens } from './viewer.tokens.ts';
import type { Viewers } from './viewers.ts';

/** Milliseconds between looks at what hooks should have told. */
const tidyEveryMs = 10_000;
/** Milliseconds a demand is believed without a reader: longer than the media server itself would wait. */
const demandBoundMs = 45_000;
/**
 * Milliseconds a path that gives pictures may be without a reader: a media server keeps what it made for HLS for a minute
 * after the last player, and then waits before it says that nobody needs the path. A camera that is stopped before is not
 * asked for again by who comes meanwhile.
 */
const unwatchedBoundMs = 90_000;

export interface KeeperDeps {
  fleet: Fleet;
  members: Members;
  streams: Collection<CameraStream>;
  viewers: Viewers;
  viewerTokens: ViewerTokens;
  noteTaken: Paths['noteTaken'];
  wake(camera: string): void;
  log: Log;
}

/** A hook may be lost, a session may end unseen. For each media server, and for those that are gone, one process looks. */
export class Keeper {
  readonly #deps: KeeperDeps;
  /** Of each server, the demanded cameras that nobody reads: since when. */
  readonly #unwatched = new Map<string, Map<string, number>>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
  #again = false;
  #stopped = false;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = setInterval(() => !this.#isRunning && this.look(), tidyEveryMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  /** One at a time; asked for meanwhile, it runs once more: notices may be missing that came after it began. */
  look(): void {
    this.#again = this.#isRunning;
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { fleet, members, viewers, viewerTokens, log } = this.#deps;
    const mine = fleet.servers.filter(({ id, alive }) => alive && ownerOf(id, members.live()) === members.id);
    const looks = mine.flatMap((server) => [viewers.tidy(server), this.#tidyStreams(server)]);
    if (ownerOf('viewings', members.live()) === members.id) looks.push(viewers.tidyGone());
    this.#running = Promise.allSettled([...looks, viewerTokens.forgetExpired()]).then((settled) => {
      this.#isRunning = false;
      for (const one of settled) {
        if (one.status === 'rejected') log.warn({ reason: String(one.reason) }, 'a look at a media server failed');
      }
      if (this.#again && !this.#stopped) this.look();
    });
  }

  /** Records are read before the paths, and written only as they were read: a hook in between wins. */
  async #tidyStreams(server: MediaServer): Promise<void> {
    const records = await everyOne(this.#deps.streams, { server: server.id });
    const paths: LivePaths = new Map((await server.api.paths()).map((path) => [path.name, path]));
    const before = this.#unwatched.get(server.id);
    const unwatched = new Map<string, number>();
    this.#unwatched.set(server.id, unwatched);
    for (const one of records) {
      const live = paths.get(one.path);
      await this.#tidyRecord(one, paths);
      if (one.demanded && !live?.readers.length) {
        const since = before?.get(one.id) ?? Date.now();
        unwatched.set(one.id, since);
        const believed = Date.parse(one.demandedAt ?? '') + demandBoundMs || 0;
        if (Date.now() >= (live?.available ? since + unwatchedBoundMs : believed)) await this.#dropDemand(one);
      }
      await this.#tidyTaken(one, server);
    }
  }

  async #tidyRecord(stream: CameraStream, paths: LivePaths): Promise<void> {
    const { streams, wake } = this.#deps;
    const patch = untold(stream, paths, new Date().toISOString());
    if (Object.keys(patch).length === 0) return;
    if (await streams.update(stream.id, stream.version, patch)) wake(stream.id);
  }

  /** Whether the path of the camera is somebody else's. */
  async #tidyTaken(stream: CameraStream, server: MediaServer): Promise<void> {
    const { id, path, wanted } = stream;
    const isNoted = isTaken(stream);
    if (!wanted || (!isNoted && !server.taken.has(path))) return;
    const whose = await server.whose(path);
    if (whose === 'nobody') return server.reconcile();
    if (isNoted === (whose === 'foreign')) return;
    await this.#deps.noteTaken(id, path, !isNoted);
    this.#deps.wake(id);
  }

  /** That nobody needs it any more was not told. */
  async #dropDemand({ id, demandedAt }: CameraStream): Promise<void> {
    const { streams, wake } = this.#deps;
    await change(streams, id, (current) =>
      current.demandedAt === demandedAt ? { demanded: false, demandedAt: null } : {},
    );
    wake(id);
  }
}
