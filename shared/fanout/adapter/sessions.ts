import type { AdapterSocket } from './engine.ts';
import type { NamespaceNames } from './names.ts';
import type { Item, Publisher } from './publisher.ts';
import type { SessionRecord } from './session.rules.ts';

export interface SessionsOptions {
  /** Of this server. */
  uid: string;
  names: NamespaceNames;
  publisher: Publisher;
  roomsOf(sid: string): Iterable<string>;
  dataOf(socket: AdapterSocket): unknown;
  /** Milliseconds after which a session's whole record is written again. */
  refresh: number;
}

interface Entry {
  socket: AdapterSocket;
  pid: string;
  writtenAt: number;
  /** The record that has not gone out, and its item: while that is the newest, it can still change. */
  unsent?: { item: Item; record: SessionRecord };
}

/** Milliseconds in which what changes of the data of a session makes one record: it has all rooms and data. */
const gather = 250;

export const encodeRecord = (record: SessionRecord): Uint8Array => Buffer.from(JSON.stringify(record));
export const decodeRecord = (data: Uint8Array): SessionRecord => JSON.parse(Buffer.from(data).toString());

/**
 * Writes what the sessions of this server become into the log, in the order in which packets go there. Nobody waits
 * for it: NATS has it before it has anything that is published later.
 */
export class Sessions {
  readonly #options: SessionsOptions;
  /** By socket id, the one whose record is oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #closed = new Set<string>();
  /** Their data is not in the log. */
  #touched = new Set<string>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  has(sid: string): boolean {
    return this.#entries.has(sid);
  }

  /** @param claimed where it came back: what is said of it then counts only as long as no other server has claimed it */
  opened(socket: AdapterSocket, claimed: boolean): void {
    if (!socket.pid || this.#entries.has(socket.id)) return;
    const entry: Entry = { socket, pid: socket.pid, writtenAt: Date.now() };
    this.#entries.set(socket.id, entry);
    this.#write(entry, this.#full(entry, claimed));
  }

  changed(sid: string, join: readonly string[], leave: readonly string[]): void {
    const entry = this.#entries.get(sid);
    if (!entry || (join.length === 0 && leave.length === 0)) return;
    const { unsent } = entry;
    // Joins only: a record that names a room as joined and left has no order for the two. What is repeated names rooms
    // as joined long ago.
    if (unsent && unsent.item === this.#options.publisher.newest && leave.length === 0) {
      if (unsent.record.t === 'open' && !unsent.record.again) unsent.record.rooms.push(...join);
      else if (unsent.record.t === 'rooms' && unsent.record.leave.length === 0) unsent.record.join.push(...join);
      else this.#write(entry, { t: 'rooms', join: [...join], leave: [] });
    } else this.#write(entry, { t: 'rooms', join: [...join], leave: [...leave] });
  }

  /** Its data has changed: the log has that soon, as its server may be killed before the next refresh. */
  touch(sid: string): void {
    if (!this.#entries.has(sid)) return;
    if (this.#touched.size === 0) setTimeout(() => this.#writeTouched(), gather).unref();
    this.#touched.add(sid);
  }

  /** The connection was lost and may come back. @param floor see Lease */
  closed(sid: string, rooms: string[], floor: number): void {
    const entry = this.#entries.get(sid);
    if (!entry) return;
    const { uid, dataOf } = this.#options;
    const rest = rooms.filter((room) => room !== sid);
    const data = dataOf(entry.socket);
    this.#write(entry, { t: 'closed', server: uid, sid, rooms: rest, data, at: Date.now(), floor });
    this.#closed.add(sid);
  }

  /** The socket is gone: for good, unless `closed` was said before. */
  left(sid: string): void {
    const entry = this.#entries.get(sid);
    if (!entry) return;
    this.#entries.delete(sid);
    if (!this.#closed.delete(sid)) this.#write(entry, { t: 'ended' });
  }

  /** Another server has it now: nothing more is written of it here. */
  disown(sid: string): void {
    this.#entries.delete(sid);
  }

  /** Writes again what would soon be too old to be in the log. */
  refresh(all = false): void {
    const due = Date.now() - (all ? 0 : this.#options.refresh);
    for (const entry of this.#entries.values()) {
      if (entry.writtenAt > due) return;
      this.#repeat(entry, Math.max(Date.now(), due + 1));
    }
  }

  #writeTouched(): void {
    const touched = this.#touched;
    this.#touched = new Set();
    for (const sid of touched) {
      const entry = this.#entries.get(sid);
      if (entry) this.#repeat(entry, Date.now());
    }
  }

  #repeat(entry: Entry, writtenAt: number): void {
    const { id } = entry.socket;
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    entry.writtenAt = writtenAt;
    this.#write(entry, this.#full(entry, true));
  }

  #full({ socket }: Entry, again: boolean): SessionRecord {
    const { uid, roomsOf, dataOf } = this.#options;
    const rooms = [...roomsOf(socket.id)].filter((room) => room !== socket.id);
    return { t: 'open', server: uid, sid: socket.id, rooms, data: dataOf(socket), ...(again && { again }) };
  }

  #write(entry: Entry, record: SessionRecord): void {
    const { publisher, names } = this.#options;
    const item = publisher.publish(names.session(entry.pid), () => {
      delete entry.unsent;
      return encodeRecord(record);
    });
    entry.unsent = { item, record };
  }
}
