import type { Log } from '../../shared/runtime/log.ts';
import { change } from '../../shared/store/change.ts';
import type { Collection } from '../../shared/store/collection.ts';
import { every } from '../../shared/store/every.ts';
import { type FeedTokens, freePictureName, pictureName } from './feed.tokens.ts';
import {
  type Fleet,
  feedPath,
  freePath,
  freePathName,
  type HookContext,
  isMediaError,
  type MediaError,
  type MediaServer,
  type PathConf,
  PathTaken,
  place,
  takenProblem,
  viewerPath,
} from './media/index.ts';
import type { PictureTarget } from './pictures/picture.publisher.ts';
import type { Sessions } from './sessions.ts';
import { type CameraStream, type Feed, feedsOf, type Viewing } from './streams.store.ts';

/** Milliseconds after the start for which a server that never answered may still be about to. */
const unknownMs = 5_000;
/** Nobody is there: a feed that has to be made anew fails, and the session is replaced. */
const unreadable = 'rtsp://127.0.0.1:1/';
/** Seconds readers wait for a feed, and for which a feed goes on after its last reader. */
const viewerOptions = { startTimeout: 20, closeAfter: 10 };
/** For the picture at a name that is free. */
const freeOptions = { startTimeout: 10, closeAfter: 10 };

export interface PathsDeps {
  fleet: Fleet;
  /** What hooks of a server's paths are made with. */
  hooksOf(server: string): HookContext;
  /** Base at which media servers reach the HTTP gateway. */
  callback: string;
  sessions: Sessions;
  tokens: FeedTokens;
  streams: Collection<CameraStream>;
  viewings: Pick<Collection<Viewing>, 'count'>;
  log: Log;
}

/** What the record of a camera means on its media server. */
export class Paths {
  readonly #deps: PathsDeps;
  /** Servers that were found dead and did not come back. */
  readonly #dead = new Set<string>();
  readonly #since = performance.now();

  constructor(deps: PathsDeps) {
    this.#deps = deps;
    deps.fleet.on('dead', ({ id }) => this.#dead.add(id));
    deps.fleet.on('alive', ({ id }) => this.#dead.delete(id));
  }

  /** A server that has not been heard of yet is not taken for dead at once. */
  lives(id: string): boolean {
    const server = this.#deps.fleet.server(id);
    if (!server || this.#dead.has(id)) return false;
    return server.alive || performance.now() - this.#since < unknownMs;
  }

  /** The server for a camera; null where none lives. */
  async choose({ id, server }: CameraStream): Promise<string | null> {
    const { fleet, streams, viewings } = this.#deps;
    const candidates = fleet.servers.map(async (one) => ({
      id: one.id,
      alive: one.alive,
      cameras: one.alive ? await streams.count({ server: one.id }) : 0,
      readers: one.alive ? await viewings.count({ server: one.id }) : 0,
    }));
    return place(id, server, await Promise.all(candidates));
  }

  /** Everything of a camera on its server. */
  async put(stream: CameraStream): Promise<void> {
    const server = this.#serverOf(stream);
    if (!server) return;
    for (const [name, conf] of this.#confs(stream, server)) {
      const failure = await this.#try(server, () => server.put(name, conf));
      if (name === stream.path && failure instanceof PathTaken) await this.noteTaken(stream.id, name, true);
    }
  }

  /** That readers cannot get at a camera, as its path is somebody else's, or that they can again. */
  async noteTaken(camera: string, path: string, isTaken: boolean): Promise<void> {
    const problem = takenProblem(path);
    await change(this.#deps.streams, camera, (current): Partial<CameraStream> => {
      if (current.path !== path || current.state === 'ready') return {};
      if (isTaken) return current.problem === problem ? {} : { state: 'failed', problem };
      return current.problem === problem ? { state: current.feed ? 'starting' : 'idle', problem: null } : {};
    });
  }

  async putFeed(stream: CameraStream, feed: Feed): Promise<void> {
    const server = this.#serverOf(stream);
    const conf = server && this.#feedConf(stream, feed, server);
    if (conf) await this.#try(server, () => server.put(feed.name, conf));
  }

  async remove(stream: CameraStream, name: string): Promise<void> {
    const server = this.#serverOf(stream);
    if (server && this.lives(server.id)) await this.#try(server, () => server.remove(name));
  }

  /** Where the owner of a camera publishes a picture instead of it; null where the server cannot be reached for that. */
  pictureTarget(stream: CameraStream): PictureTarget | null {
    return this.#target(stream.server, stream.path, pictureName(stream.id, stream.fence));
  }

  /** Where a picture is published at a name that is no camera's; null as before. */
  freeTarget(server: string, path: string): PictureTarget | null {
    return this.#target(server, path, freePictureName(server, path));
  }

  /** What a server should have: every path of every camera that is on it. */
  async wanted(id: string): Promise<Map<string, PathConf>> {
    const wanted = new Map<string, PathConf>();
    const server = this.#deps.fleet.server(id);
    if (!server) return wanted;
    for await (const stream of every(this.#deps.streams, { server: server.id, wanted: true })) {
      for (const [name, conf] of this.#confs(stream, server)) wanted.set(name, conf);
    }
    // After them: who comes back to a server that restarted should find the camera.
    wanted.set(freePathName, freePath(this.#deps.hooksOf(server.id), freeOptions));
    return wanted;
  }

  #target(id: string | null, path: string, publisher: string): PictureTarget | null {
    const { fleet, tokens } = this.#deps;
    const server = id === null ? undefined : fleet.server(id);
    const rtsp = server?.alive ? server.protocols?.rtsp : null;
    if (!server || !rtsp || rtsp.secure) return null;
    return { host: server.address, port: rtsp.port, path, user: 'picture', password: tokens.publisher(publisher) };
  }

  #serverOf({ server }: CameraStream): MediaServer | undefined {
    return server === null ? undefined : this.#deps.fleet.server(server);
  }

  *#confs(stream: CameraStream, server: MediaServer): Generator<[string, PathConf]> {
    yield [stream.path, viewerPath(this.#deps.hooksOf(server.id), stream.path, viewerOptions)];
    for (const feed of feedsOf(stream)) {
      const conf = this.#feedConf(stream, feed, server);
      if (conf) yield [feed.name, conf];
    }
  }

  /** Undefined for a server that has never said where its RTSP is. */
  #feedConf(stream: CameraStream, feed: Feed, server: MediaServer): PathConf | undefined {
    const { sessions, tokens, hooksOf, callback } = this.#deps;
    const { rtsp } = server;
    if (rtsp === null) return undefined;
    const shared = { name: feed.name, viewer: stream.path, token: tokens.publisher(feed.name), rtsp };
    if (feed.kind === 'google-webrtc') {
      const source = `${callback.replace(/^http/, 'whep').replace(/\/+$/, '')}/api/media/whep/${feed.name}`;
      return feedPath(hooksOf(server.id), { ...shared, source, bearer: tokens.offerer(feed.name) });
    }
    // One that does not open here goes on where it is: a feed that is there is not compared by its source.
    const source = sessions.source(stream, feed)?.url ?? unreadable;
    return feedPath(hooksOf(server.id), { ...shared, source });
  }

  /** What a server did not take is brought there by the next comparison; a server that is gone has none. */
  async #try(server: MediaServer, write: () => Promise<void>): Promise<MediaError | null> {
    try {
      await write();
      return null;
    } catch (error) {
      if (!isMediaError(error)) throw error;
      this.#deps.log.warn(
        { reason: error.message, server: server.id },
        'a media server did not take a change; it is compared again',
      );
      server.reconcile().catch(() => {});
      return error;
    }
  }
}
