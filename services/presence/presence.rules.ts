import type {
  PresenceChange,
  PresenceHeartbeat,
  PresenceSnapshot,
  PresentSession,
  PresentUser,
  SessionChange,
} from '../../shared/fanout/presence.notices.ts';
import { Directory } from './directory.rules.ts';
import { Assembly } from './snapshot.rules.ts';

export interface Online extends PresentUser {
  readonly key: string;
  readonly sessions: Set<Session>;
}
export interface Session {
  readonly id: string;
  readonly protocol: PresentSession['protocol'];
  readonly since: string;
  readonly gateway: string;
  readonly user: PresentUser;
  rooms?: Set<string>;
}

/** Told of what changes for a user as a whole. */
export interface IndexWatcher {
  /** The first session of a user came. */
  appeared(user: PresentUser): void;
  /** The last one ended; `lost` where its gateway fell silent. */
  vanished(user: PresentUser, lost: boolean): void;
  entered(user: PresentUser, rooms: readonly string[]): void;
  /** A session left a room and no other of the user is in it. */
  exited(user: PresentUser, room: string): void;
}

interface Gateway {
  sequence: number;
  /** When it was last heard, in ms of the caller's clock. */
  seen: number;
  /** What it said last was all that came before it. */
  whole: boolean;
  sessions: Map<string, Session>;
  assembly?: Assembly;
}

/**
 * The index of who is online, without clock or network. What a gateway last reported is the truth about its sessions.
 * The methods that take reports answer false when a report was missed and a snapshot must be asked for.
 */
export class PresenceIndex {
  readonly #gateways = new Map<string, Gateway>();
  readonly #users = new Map<string, Online>();
  readonly #directory = new Directory<Online>();
  readonly #watcher: IndexWatcher;

  constructor(watcher: IndexWatcher) {
    this.#watcher = watcher;
  }

  /** Users online. */
  get size(): number {
    return this.#users.size;
  }

  /** Whether every gateway that is heard of is known as it is. */
  get whole(): boolean {
    for (const { whole } of this.#gateways.values()) if (!whole) return false;
    return true;
  }

  user(id: string): Online | undefined {
    return this.#users.get(id);
  }

  page(query: Parameters<Directory<Online>['page']>[0]): { items: Online[]; total: number } {
    return this.#directory.page(query);
  }

  change(change: PresenceChange, now: number): boolean {
    const { gateway: name, sequence, changes, ended } = change;
    const gateway = this.#heard(name, now);
    if (ended) {
      this.#drop(name, gateway, false);
      return true;
    }
    if (gateway.assembly?.holds(change)) return true;
    if (sequence <= gateway.sequence) return true;
    if (sequence !== gateway.sequence + 1) return this.#missed(gateway);
    gateway.sequence = sequence;
    for (const one of changes) this.#apply(name, gateway, one);
    return true;
  }

  heartbeat({ gateway: name, sequence, sessions }: PresenceHeartbeat, now: number): boolean {
    const gateway = this.#heard(name, now);
    // A change that overtook it is no reason to ask.
    if (gateway.sequence > sequence) return true;
    if (gateway.sequence === sequence && gateway.sessions.size === sessions) {
      gateway.whole = true;
      return true;
    }
    return gateway.assembly?.isMoving(now) || this.#missed(gateway);
  }

  /** False as well where a part is missing. */
  snapshot(part: PresenceSnapshot, now: number): boolean {
    const name = part.gateway;
    const gateway = this.#heard(name, now);
    if (part.part === 0) {
      // What is known already is newer, or the same: nothing to take in.
      if (gateway.whole && gateway.sequence >= part.sequence) return true;
      gateway.assembly = new Assembly(part.sequence);
      gateway.whole = false;
    }
    const { assembly } = gateway;
    if (!assembly) return true;
    if (!assembly.takes(part, now)) {
      delete gateway.assembly;
      return false;
    }
    if (!part.last) return true;
    delete gateway.assembly;
    this.#replace(name, gateway, assembly);
    for (const later of assembly.later) if (!this.change(later, now)) return false;
    return true;
  }

  /** Takes out the sessions of gateways that were silent for longer than the lease. */
  expire(now: number, leaseMs: number): void {
    for (const [name, gateway] of this.#gateways) if (now - gateway.seen > leaseMs) this.#drop(name, gateway, true);
  }

  /** Nothing could be heard for a while: every gateway gets its whole lease again. */
  renew(now: number): void {
    for (const gateway of this.#gateways.values()) gateway.seen = now;
  }

  #heard(name: string, now: number): Gateway {
    const known = this.#gateways.get(name);
    if (known) {
      known.seen = now;
      return known;
    }
    const fresh: Gateway = { sequence: 0, seen: now, whole: true, sessions: new Map() };
    this.#gateways.set(name, fresh);
    return fresh;
  }

  #missed(gateway: Gateway): false {
    gateway.whole = false;
    delete gateway.assembly;
    return false;
  }

  #drop(name: string, gateway: Gateway, lost: boolean): void {
    this.#gateways.delete(name);
    for (const session of gateway.sessions.values()) this.#remove(session, lost);
  }

  #replace(name: string, gateway: Gateway, { sequence, changes }: Assembly): void {
    const before = gateway.sessions;
    const rooms = new Map<Session, Set<string>>();
    gateway.sessions = new Map();
    gateway.sequence = sequence;
    gateway.whole = true;
    for (const change of changes()) {
      const known = 'joined' in change ? before.get(change.joined.id) : undefined;
      if (!known) {
        this.#apply(name, gateway, change);
        continue;
      }
      before.delete(known.id);
      gateway.sessions.set(known.id, known);
      if (known.rooms) rooms.set(known, known.rooms);
      delete known.rooms;
    }
    for (const gone of before.values()) this.#remove(gone, false);
    for (const [session, had] of rooms) for (const room of had) this.#leaveRoom(session, room);
  }

  #apply(name: string, gateway: Gateway, change: SessionChange): void {
    if ('joined' in change) this.#add(name, gateway, change.joined);
    else if ('left' in change) {
      const gone = gateway.sessions.get(change.left);
      if (!gone) return;
      gateway.sessions.delete(gone.id);
      this.#remove(gone, false);
    } else {
      const session = gateway.sessions.get(change.id);
      if (session) this.#move(session, change.entered ?? [], change.exited ?? []);
    }
  }

  #add(name: string, gateway: Gateway, { id, protocol, since, user }: PresentSession): void {
    const replaced = gateway.sessions.get(id);
    const known = this.#users.get(user.id);
    const renamed = known && (known.username !== user.username || known.email !== user.email);
    const online = known && !renamed ? known : this.#enlist(user, known);
    const session: Session = { id, protocol, since, gateway: name, user: online };
    gateway.sessions.set(id, session);
    online.sessions.add(session);
    if (replaced) this.#remove(replaced, false);
    if (!known) this.#watcher.appeared(online);
  }

  /** A user in the directory, in place of who it was before. */
  #enlist({ id, username, email }: PresentUser, before: Online | undefined): Online {
    const online: Online = {
      id,
      username,
      email,
      key: username.toLowerCase(),
      sessions: before?.sessions ?? new Set(),
    };
    if (before) this.#directory.remove(before);
    this.#users.set(id, online);
    this.#directory.add(online);
    return online;
  }

  #remove(session: Session, lost: boolean): void {
    const online = this.#users.get(session.user.id);
    if (!online?.sessions.delete(session) || online.sessions.size > 0) return;
    this.#users.delete(online.id);
    this.#directory.remove(online);
    this.#watcher.vanished(online, lost);
  }

  #move(session: Session, entered: readonly string[], exited: readonly string[]): void {
    if (entered.length > 0) {
      session.rooms ??= new Set();
      for (const room of entered) session.rooms.add(room);
      this.#watcher.entered(session.user, entered);
    }
    for (const room of exited) this.#exit(session, room);
  }

  #exit(session: Session, room: string): void {
    if (session.rooms?.delete(room)) this.#leaveRoom(session, room);
  }

  #leaveRoom({ user }: Session, room: string): void {
    const sessions = this.#users.get(user.id)?.sessions ?? [];
    for (const session of sessions) if (session.rooms?.has(room)) return;
    this.#watcher.exited(user, room);
  }
}
