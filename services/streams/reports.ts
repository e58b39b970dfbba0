import { Failure } from '../../shared/contracts/index.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { change } from '../../shared/store/change.ts';
import type { Collection } from '../../shared/store/collection.ts';
import type { Emit } from '../deps.ts';
import type { FreeNames } from './free.names.ts';
import { type HookCall, readFeedName } from './media/index.ts';
import { pictureQuery } from './pictures/picture.publisher.ts';
import type { CameraStream, Feed } from './streams.store.ts';
import type { Viewings } from './viewings.ts';

export interface ReportsDeps {
  streams: Collection<CameraStream>;
  viewings: Viewings;
  freeNames: Pick<FreeNames, 'demand' | 'unDemand'>;
  emit: Emit;
  /** A reader began: whether it still may is to be seen. */
  began(session: string, type: string): Promise<void>;
  /** The owner of a camera should look at it, whichever process that is. */
  wake(camera: string): void;
  log: Log;
}

type Patch = Partial<CameraStream>;

/** Milliseconds after a demand within which its own end cannot come, but that of the one before still may. */
const overtakenMs = 5_000;

/**
 * What media servers report by their hooks. Any process takes a report: it writes down the fact, tells the clients and
 * wakes the camera's owner. Hooks run side by side and may come late: what is not about the server or the feed of now
 * is dropped.
 */
export class Reports {
  readonly #deps: ReportsDeps;

  constructor(deps: ReportsDeps) {
    this.#deps = deps;
  }

  async take(call: HookCall): Promise<void> {
    if (call.isFree) return this.#atFreeName(call);
    const feed = readFeedName(call.path);
    if (feed) return this.#ofFeed(feed.camera, call);
    const [stream] = await this.#deps.streams.find({ path: call.path }, { limit: 1 });
    if (!stream || stream.server !== call.server) return;
    await this.#ofViewer(stream, call);
  }

  /** There is no camera to tell of. */
  async #atFreeName({ event, server, path, readerId, readerType }: HookCall): Promise<void> {
    const { freeNames, viewings, began } = this.#deps;
    if (event === 'demand') await freeNames.demand(server, path);
    if (event === 'unDemand') freeNames.unDemand(server, path);
    if (event === 'read') await began(readerId, readerType);
    if (event === 'unread') await viewings.ended(readerId);
  }

  /** Whether a camera delivers. */
  async #ofFeed(camera: string, { event, path, server }: HookCall): Promise<void> {
    if (event !== 'ready' && event !== 'notReady') return;
    const now = new Date().toISOString();
    const ready = event === 'ready';
    const told = (feed: Feed): Feed => ({ ...feed, ready, lostAt: ready ? null : now });
    await this.#note(camera, (current) => {
      if (current.server !== server) return {};
      if (current.next?.name === path) return { next: told(current.next) };
      if (current.feed?.name !== path) return {};
      return { feed: told(current.feed), ...(ready && { failures: 0, retryAt: null }) };
    });
    this.#deps.wake(camera);
  }

  async #ofViewer(stream: CameraStream, call: HookCall): Promise<void> {
    switch (call.event) {
      case 'demand':
      case 'unDemand':
        return this.#demand(stream, call);
      case 'ready':
      case 'notReady':
        return this.#readiness(stream, call);
      case 'read':
        // First what cannot wait for others: the report comes once.
        await this.#tellReader(stream, call, 'read');
        return this.#deps.began(call.readerId, call.readerType);
      case 'unread':
        await this.#deps.viewings.ended(call.readerId);
        return this.#tellReader(stream, call, 'unread');
    }
  }

  async #demand(stream: CameraStream, { event, query }: HookCall): Promise<void> {
    const now = Date.now();
    const isDemand = event === 'demand';
    const counts = await this.#note(stream.id, (current) => {
      if (isDemand) return { demanded: true, demandedAt: new Date(now).toISOString() };
      return isOvertaken(current, now) ? null : { demanded: false, demandedAt: null };
    });
    if (!counts) return;
    this.#deps.wake(stream.id);
    await this.#deps.emit('camera', isDemand ? 'demand' : 'unDemand', stream.id, base(stream, query));
  }

  async #readiness(stream: CameraStream, { event, query, sourceType, sourceId, server }: HookCall): Promise<void> {
    // A picture that stands for the camera is no camera.
    if (decoded(query) === pictureQuery) return;
    const ready = event === 'ready';
    const counts = await this.#note(stream.id, (current) => {
      if (ready) return { state: 'ready', problem: null, publisher: sourceId };
      // The end of one who was replaced: who came after has been told of already.
      if (current.publisher !== null && current.publisher !== sourceId) return null;
      if (current.state === 'failed') return { publisher: null };
      return { state: current.feed ? 'starting' : 'idle', publisher: null };
    });
    if (!counts) return;
    const { emit } = this.#deps;
    await emit('camera', ready ? 'ready' : 'notReady', stream.id, { ...base(stream, query), sourceType, sourceId });
    await emit('streams', ready ? 'started' : 'stopped', stream.id, { camera: stream.id, server });
  }

  async #tellReader(stream: CameraStream, call: HookCall, event: 'read' | 'unread'): Promise<void> {
    const { query, readerType, readerId } = call;
    await this.#deps.emit('camera', event, stream.id, { ...base(stream, query), readerType, readerId });
  }

  /**
   * Writes a fact down; null: it is none any more.
   * @returns whether it counts; not for a camera that is gone
   */
  async #note(camera: string, patch: (current: CameraStream) => Patch | null): Promise<boolean> {
    let counts = false;
    try {
      await change(this.#deps.streams, camera, (current) => {
        const change = patch(current);
        counts = change !== null;
        return change ?? {};
      });
    } catch (error) {
      if (!(error instanceof Failure) || error.type !== 'NOT_FOUND') throw error;
      return false;
    }
    return counts;
  }
}

/**
 * Whether the end of a demand was overtaken by the next one: the media server waits for ten seconds after the last
 * viewer before it says that nobody is left.
 */
const isOvertaken = ({ demandedAt }: CameraStream, now: number): boolean =>
  demandedAt !== null && now - Date.parse(demandedAt) < overtakenMs;

/** Parameters in which a viewer hands credentials over. */
const secretParameters = ['token', 'jwt', 'user', 'pass', 'password'];

/** Every user hears the event: the query goes without what is secret in it. MediaMTX escapes it once more. */
function base({ name, path, wanted }: CameraStream, query: string) {
  const parameters = new URLSearchParams(decoded(query));
  for (const secret of secretParameters) parameters.delete(secret);
  return { name, enabled: wanted, path, query: parameters.toString() };
}

function decoded(query: string): string {
  try {
    return query.includes('=') ? query : decodeURIComponent(query);
  } catch {
    return '';
  }
}
