import type { Login } from './login.ts';
import { type Connection, Session, type SessionBounds } from './session.ts';

/** Every session by client id. */
export class Sessions {
  readonly #bounds: SessionBounds;
  readonly #byId = new Map<string, Session>();
  /** Kept ones whose client is away, longest first. */
  readonly #away = new Map<string, Session>();

  constructor(bounds: SessionBounds) {
    this.#bounds = bounds;
  }

  get(clientId: string): Session | undefined {
    return this.#byId.get(clientId);
  }

  all(): IterableIterator<Session> {
    return this.#byId.values();
  }

  /** The session for a client that connects, to be told of it; undefined where the client id is somebody else's. */
  claim(clientId: string, owner: string, kept: boolean, login: Login): Session | undefined {
    const held = this.#byId.get(clientId);
    if (held && held.owner !== owner) return undefined;
    const session = held?.kept && kept ? held : new Session(clientId, owner, kept, login, this.#bounds);
    this.#byId.set(clientId, session);
    this.#away.delete(clientId);
    return session;
  }

  release(connection: Connection, now: number): void {
    const { session } = connection;
    session.connections.delete(connection);
    if (session.connections.size > 0 || this.#byId.get(session.clientId) !== session) return;
    for (const message of session.held.splice(0)) if (session.kept && message.qos > 0) session.enqueue(message);
    if (!session.kept || session.filters.size === 0) {
      this.#byId.delete(session.clientId);
      return;
    }
    session.offlineSince = now;
    this.#away.set(session.clientId, session);
    this.#trim(session.owner);
  }

  /** Forgets what was kept too long. */
  sweep(now: number): void {
    for (const session of this.#away.values()) {
      if (now - session.offlineSince < this.#bounds.keptMs) return;
      this.#forget(session);
    }
  }

  #trim(owner: string): void {
    const ofOwner = [...this.#away.values()].filter((session) => session.owner === owner);
    const [oldestOfOwner] = ofOwner;
    if (oldestOfOwner && ofOwner.length > this.#bounds.keptOfOwner) this.#forget(oldestOfOwner);
    const [oldest] = this.#away.values();
    if (oldest && this.#away.size > this.#bounds.kept) this.#forget(oldest);
  }

  #forget(session: Session): void {
    this.#away.delete(session.clientId);
    this.#byId.delete(session.clientId);
  }
}
