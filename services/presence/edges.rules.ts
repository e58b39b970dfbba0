import { createHash } from 'node:crypto';
import { maxRoomsPerSession, type PresentUser } from '../../shared/fanout/presence.notices.ts';

/** Milliseconds for a client to come back before its user counts as gone: a reload, a change of gateway. */
export const graceMs = 2_000;
/** How long it is kept that a user is offline: longer than the bus recognises an id it has seen (2 minutes). */
const rememberMs = 300_000;
const sweepEveryMs = 30_000;

/** What was told last of a user. */
interface Told {
  online: boolean;
  /** Of the event that told it. */
  id: string;
  /** ms of the caller's clock. */
  at: number;
}

/** What a user is and what was told are not the same. */
export interface Edge {
  /** The same in every replica that sees this edge: the bus takes an id once. */
  readonly id: string;
  readonly online: boolean;
  readonly user: PresentUser;
  readonly rooms: readonly string[];
}

interface Due {
  user: PresentUser;
  online: boolean;
  /** ms of the caller's clock. */
  at: number;
}

/**
 * Edges are levels compared: what a user is (told by the index) with what was last told of it (heard from the bus, as
 * every replica hears it). Where they differ for long enough an edge is due, in every replica; the owner of the user
 * emits it, and where it dies before it could, its successor finds the edge still due. An edge's id is made of the one
 * before, so two replicas that both think they own a user emit one event. No clock, no network.
 */
export class Edges {
  readonly #isOnline: (userId: string) => boolean;
  readonly #told = new Map<string, Told>();
  readonly #due = new Map<string, Due>();
  /** With PRESENCE_BROADCAST=rooms: where users were seen since they came, and what of that is not told yet. */
  readonly #rooms = new Map<string, Set<string>>();
  readonly #unseen = new Map<string, { user: PresentUser; rooms: Set<string> }>();
  #sweptAt = 0;

  constructor(isOnline: (userId: string) => boolean) {
    this.#isOnline = isOnline;
  }

  appeared(user: PresentUser, now: number): void {
    this.#compare(user, true, now, 0);
  }

  /** Whoever's gateway fell silent had the time of its lease to come back. */
  vanished(user: PresentUser, lost: boolean, now: number): void {
    this.#unseen.delete(user.id);
    this.#compare(user, false, now, lost ? 0 : graceMs);
  }

  entered(user: PresentUser, rooms: readonly string[]): void {
    const seen = this.#rooms.get(user.id) ?? new Set();
    this.#rooms.set(user.id, seen);
    const fresh = rooms.filter((room) => !seen.has(room) && seen.size < maxRoomsPerSession && seen.add(room));
    if (fresh.length === 0) return;
    const unseen = this.#unseen.get(user.id) ?? { user, rooms: new Set() };
    for (const room of fresh) unseen.rooms.add(room);
    this.#unseen.set(user.id, unseen);
  }

  exited({ id }: PresentUser, room: string): void {
    this.#rooms.get(id)?.delete(room);
    this.#unseen.get(id)?.rooms.delete(room);
  }

  /** An edge was told, by this replica or another. */
  heard(edge: { user: PresentUser; online: boolean; id: string }, now: number): void {
    const { user, online, id } = edge;
    this.#told.set(user.id, { online, id, at: now });
    if (!online) this.#forgetRooms(user.id);
    const due = this.#due.get(user.id);
    if (this.#isOnline(user.id) === online) this.#due.delete(user.id);
    else if (due?.online !== !online) this.#compare(user, !online, now, online ? graceMs : 0);
  }

  /** Those due by now for whom `mine` holds. */
  *due(now: number, mine: (userId: string) => boolean): Generator<Edge> {
    this.#sweep(now);
    for (const { user, online, at } of this.#due.values()) {
      if (at <= now && mine(user.id)) yield this.#edge(user, online);
    }
  }

  /** Who is online, was told to be, and is in rooms it was not seen in before; each is given once. */
  seen(mine: (userId: string) => boolean): { user: PresentUser; rooms: string[] }[] {
    const found: { user: PresentUser; rooms: string[] }[] = [];
    for (const [id, { user, rooms }] of this.#unseen) {
      // Not told to be online yet: the edge itself will name the rooms.
      if (!this.#told.get(id)?.online) continue;
      this.#unseen.delete(id);
      if (rooms.size > 0 && mine(id)) found.push({ user, rooms: [...rooms] });
    }
    return found;
  }

  #edge(user: PresentUser, online: boolean): Edge {
    const before = this.#told.get(user.id)?.id ?? '';
    const text = [user.id, online, before].join('\0');
    const id = `presence-${createHash('sha256').update(text).digest('base64url')}`;
    const rooms = [...(this.#rooms.get(user.id) ?? [])];
    // What the edge names need not be told again.
    if (online) this.#unseen.delete(user.id);
    return { id, online, user, rooms };
  }

  #compare(user: PresentUser, online: boolean, now: number, wait: number): void {
    const told = this.#told.get(user.id)?.online ?? false;
    if (told === online) this.#due.delete(user.id);
    else this.#due.set(user.id, { user, online, at: now + wait });
    if (!online && !told) this.#forgetRooms(user.id);
  }

  #forgetRooms(userId: string): void {
    if (this.#isOnline(userId)) return;
    this.#rooms.delete(userId);
    this.#unseen.delete(userId);
  }

  #sweep(now: number): void {
    if (now - this.#sweptAt < sweepEveryMs) return;
    this.#sweptAt = now;
    for (const [id, { online, at }] of this.#told) if (!online && now - at > rememberMs) this.#told.delete(id);
  }
}
