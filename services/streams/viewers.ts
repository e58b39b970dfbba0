import { type Call, Failure } from '../../shared/contracts/index.ts';
import type { Log } from '../../shared/runtime/log.ts';
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
import { byKind, tokenVersions } from './token.versions.ts';
import { isCurrent, sessionsOf, type Viewings } from './viewings.ts';

/**
 * Milliseconds after which nobody reads at a media server that is gone: no player waits so long for media, and processes
 * that are started anew with other media servers have all been so by then.
 */
const goneMs = 120_000;

export interface ViewersDeps {
  fleet: Fleet;
  streams: Collection<CameraStream>;
  viewings: Viewings;
  call: Call;
  log: Log;
}

/** Sends viewers away who may not watch any more, and brings their slots in step with what media servers list. */
export class Viewers {
  readonly #deps: ViewersDeps;
  /** Of media servers that are gone and had readers, in milliseconds since the epoch. */
  #goneSince: ReadonlyMap<string, number> = new Map();

  constructor(deps: ViewersDeps) {
    this.#deps = deps;
  }

  /**
   * Ends the sessions of one viewer on every server; whether they may come back is the gate's question. What fails is
   * tried once more, and then left to the next look at the server. Never throws.
   */
  async sendAway(viewer: string): Promise<void> {
    const { viewings, log } = this.#deps;
    const attempt = () => viewings.ofViewer(viewer).then((all) => allOf(all.map((one) => this.#kick(one))));
    await attempt()
      .catch(attempt)
      .catch((err) => log.warn({ err, viewer }, 'a viewer may not have been sent away; it is looked at again'));
  }

  /**
   * The reader has begun. Who was let in just before losing the right to watch, or beside somebody who has the last
   * slot by now, is found here.
   */
  async began(session: string, type: string): Promise<void> {
    const { viewings } = this.#deps;
    try {
      await viewings.began(session, type);
    } catch (error) {
      if (!(error instanceof Failure) || error.type !== 'LIMIT_EXCEEDED') throw error;
      const [{ server } = { server: '' }] = await viewings.ofSession(session);
      const kind = kindOf(type);
      if (kind) await this.#deps.fleet.server(server)?.api.kick(kind, session);
      return;
    }
    const held = await viewings.ofSession(session);
    const revoked = await this.#revoked(held);
    for (const one of held) if (revoked.has(one.id)) await this.#kick(one);
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
      if (revoked.has(one.id)) await this.#kick(one);
      else await this.#settle(one, sessions);
    }
    const known = new Set(viewings.flatMap(sessionsOf));
    for (const session of sessions.values()) if (!known.has(session.id)) await this.#kickUnknown(server, session);
  }

  /**
   * A media server that is gone, dead or not of this fleet any more, tells of no reader's end, and is not asked: slots at
   * it are free again when none of its readers can be left.
   */
  async tidyGone(): Promise<void> {
    const { fleet, viewings } = this.#deps;
    const now = Date.now();
    const left = (await viewings.all()).filter(({ server }) => !fleet.server(server)?.alive);
    const before = this.#goneSince;
    this.#goneSince = new Map(left.map(({ server }) => [server, before.get(server) ?? now]));
    for (const one of left) if (now - (before.get(one.server) ?? now) >= goneMs) await viewings.drop(one);
  }

  /** What reports of its readers should have told. */
  async #settle(viewing: Viewing, sessions: ReadonlyMap<string, Session>): Promise<void> {
    const { viewings } = this.#deps;
    const listed = sessionsOf(viewing).flatMap((id) => sessions.get(id) ?? []);
    const unreported = listed.filter((one) => reads(one) && (viewing.type === null || one.id !== viewing.session));
    for (const { id, kind } of unreported) await this.began(id, typeOf(kind));
    if (unreported.length > 0) return;
    const isOver = viewing.type === null ? !isCurrent(viewing) : !sessions.has(viewing.session);
    if (isOver) await viewings.drop(viewing);
  }

  async #kickUnknown(server: MediaServer, session: Session): Promise<void> {
    if (!reads(session)) return;
    const [camera] = await this.#deps.streams.find({ path: session.path, server: server.id }, { limit: 1 });
    if (camera) await server.api.kick(session.kind, session.id);
  }

  /** Stays on the list: one that was let in but does not read yet, one of a server that is away, one of no known kind. */
  async #kick(viewing: Viewing): Promise<void> {
    const server = this.#deps.fleet.server(viewing.server);
    if (!server?.alive) return;
    const { type, session } = viewing;
    const kind = kindOf(type);
    if (kind) await server.api.kick(kind, session);
    const ids = new Set(sessionsOf(viewing));
    if (type === null || ids.size > 1) {
      const begun = (await sessionsNow(server)).filter(({ id }) => ids.has(id));
      await allOf(begun.map((one) => server.api.kick(one.kind, one.id)));
    }
    if (type === null ? !isCurrent(viewing) : kind) await this.#deps.viewings.drop(viewing);
  }

  /** Ids of the viewings whose viewer's tokens have another version by now; none of those nobody answers about. */
  async #revoked(viewings: readonly Viewing[]): Promise<Set<string>> {
    const ours = viewings.filter(({ tokenVersion }) => tokenVersion !== null);
    const asked = byKind(ours).map(async (some) => {
      const versions = await tokenVersions(this.#deps.call, [...new Set(some.map(({ viewer }) => viewer))]);
      return some.filter(({ viewer, tokenVersion }) => versions.get(viewer) !== tokenVersion).map(({ id }) => id);
    });
    const unanswered = (err: unknown) => {
      this.#deps.log.warn({ err }, 'it is not known who may still watch; it is looked at again');
      return [];
    };
    return new Set((await Promise.all(asked.map((one) => one.catch(unanswered)))).flat());
  }
}

/** When all are over. @throws the first error */
async function allOf(attempts: readonly Promise<unknown>[]): Promise<void> {
  for (const one of await Promise.allSettled(attempts)) if (one.status === 'rejected') throw one.reason;
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
