import { type Call, Failure } from '../../shared/contracts/index.ts';
import type { Collection } from '../../shared/store/collection.ts';
import {
  type Fleet,
  isMediaError,
  type MediaServer,
  type Session,
  type SessionKind,
  sessionKinds,
} from './media/index.ts';
import type { CameraStream, Viewing } from './streams.store.ts';
import { tokenVersions } from './token.versions.ts';
import { isCurrent, type Viewings } from './viewings.ts';

export interface ViewersDeps {
  fleet: Fleet;
  streams: Collection<CameraStream>;
  viewings: Viewings;
  call: Call;
}

/** Sends viewers away who may not watch any more, and brings their slots in step with what media servers list. */
export class Viewers {
  readonly #deps: ViewersDeps;

  constructor(deps: ViewersDeps) {
    this.#deps = deps;
  }

  /** Ends the sessions of one viewer on every server; whether they may come back is the gate's question. */
  async sendAway(viewer: string): Promise<void> {
    const viewings = await this.#deps.viewings.ofViewer(viewer);
    await Promise.allSettled(viewings.map((one) => this.#kick(one)));
  }

  /** Who was let in just before losing the right to watch is found when the reading begins. */
  async began(session: string): Promise<void> {
    const viewings = await this.#deps.viewings.ofSession(session);
    const revoked = await this.#revoked(viewings);
    for (const one of viewings) if (revoked.has(one.id)) await this.#kick(one);
  }

  /** Ends every reader of a camera. @throws Failure UNAVAILABLE where the media server does not answer */
  async empty({ server: id, path }: CameraStream): Promise<void> {
    const server = id === null ? undefined : this.#deps.fleet.server(id);
    if (!server) return;
    try {
      const readers = (await sessionsNow(server)).filter((one) => one.path === path && one.state !== 'publish');
      await Promise.all(readers.map(({ kind, id: session }) => server.api.kick(kind, session)));
    } catch (cause) {
      if (!isMediaError(cause)) throw cause;
      throw new Failure('UNAVAILABLE', 'The media server does not answer', { retryAfter: 1, cause });
    }
  }

  /**
   * A slot whose reader is gone, or whose viewer may not watch any more, is free again; who reads without a slot is sent
   * away. The server is asked first: a slot is made before its reader.
   */
  async tidy(server: MediaServer): Promise<void> {
    const sessions = new Map((await sessionsNow(server)).map((one) => [one.id, one]));
    const viewings = await this.#deps.viewings.ofServer(server.id);
    const revoked = await this.#revoked(viewings);
    for (const one of viewings) {
      const session = sessions.get(one.session);
      if (revoked.has(one.id)) await this.#kick(one);
      else if (one.type === null && session && reads(session))
        await this.#deps.viewings.began(one.session, typeOf(session.kind));
      else if (one.type === null ? !isCurrent(one) : !session) await this.#deps.viewings.drop(one);
    }
    const known = new Set(viewings.map(({ session }) => session));
    for (const session of sessions.values()) if (!known.has(session.id)) await this.#kickUnknown(server, session);
  }

  async #kickUnknown(server: MediaServer, session: Session): Promise<void> {
    if (!reads(session)) return;
    const [camera] = await this.#deps.streams.find({ path: session.path, server: server.id }, { limit: 1 });
    if (camera) await server.api.kick(session.kind, session.id);
  }

  /** One that was let in but does not read yet stays on the list, as does one of a server that is away. */
  async #kick(viewing: Viewing): Promise<void> {
    const server = this.#deps.fleet.server(viewing.server);
    if (!server?.alive) return;
    const sessions = viewing.type === null ? await sessionsNow(server) : [];
    const kind = kindOf(viewing.type) ?? sessions.find(({ id }) => id === viewing.session)?.kind;
    if (kind) await server.api.kick(kind, viewing.session);
    if (viewing.type !== null || !isCurrent(viewing)) await this.#deps.viewings.drop(viewing);
  }

  /** Ids of the viewings whose viewer's tokens have another version by now. */
  async #revoked(viewings: readonly Viewing[]): Promise<Set<string>> {
    const ours = viewings.filter(({ tokenVersion }) => tokenVersion !== null);
    const ids = [...new Set(ours.map(({ viewer }) => viewer))];
    const versions = await tokenVersions(this.#deps.call, ids);
    const revoked = ours.filter(({ viewer, tokenVersion }) => versions.get(viewer) !== tokenVersion);
    return new Set(revoked.map(({ id }) => id));
  }
}

/** Not the sessions of up to two seconds ago, which lists are content with. */
async function sessionsNow(server: MediaServer): Promise<Session[]> {
  return (await Promise.all(sessionKinds.map((kind) => server.api.sessions(kind)))).flat();
}

/** Sessions of HLS have no state: they are there as long as they read. */
const reads = ({ kind, state }: Session): boolean => state === 'read' || kind === 'hlssessions';

/** The list of the control API in which a reader of a type is. */
const kinds: Readonly<Record<string, SessionKind>> = {
  rtspSession: 'rtspsessions',
  rtspsSession: 'rtspssessions',
  rtmpConn: 'rtmpconns',
  rtmpsConn: 'rtmpsconns',
  srtConn: 'srtconns',
  webRTCSession: 'webrtcsessions',
  hlsSession: 'hlssessions',
};
const kindOf = (type: string | null): SessionKind | undefined => (type === null ? undefined : kinds[type]);
const typeOf = (kind: SessionKind): string => Object.entries(kinds).find(([, one]) => one === kind)?.[0] ?? kind;
