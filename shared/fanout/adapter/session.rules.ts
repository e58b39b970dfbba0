/** What servers write of a session into the log, among the packets: so both have one order. */
export type SessionRecord =
  /** It lives on `server` now; all of its rooms. `again` where that is only repeated, before older records expire. */
  | { t: 'open'; server: string; sid: string; rooms: string[]; data: unknown; again?: true }
  | { t: 'rooms'; join: string[]; leave: string[] }
  /** Its connection was lost at `at` (ms); `floor` as in a lease. */
  | { t: 'closed'; server: string; sid: string; rooms: string[]; data: unknown; at: number; floor: number }
  | { t: 'ended' };

/**
 * A server's sign of life. Up to the sequence `floor`, every connection it then had has taken everything: they have
 * answered a ping that was written later. For clients who hear too little to have a recent offset.
 */
export interface Lease {
  at: number;
  floor: number;
}

/** From the sequence at which a socket joined a room to the one at which it left. */
interface Stay {
  from: number;
  to: number;
}

export interface Session {
  sid: string;
  server: string;
  data: unknown;
  state: 'open' | 'closed' | 'ended';
  /** Sequence since which it lives on `server`. */
  since: number;
  /** Sequence of its last record. */
  last: number;
  closed?: Lease;
  stays: Map<string, Stay[]>;
}

const openEnd = Number.POSITIVE_INFINITY;

function enter(session: Session, room: string, from: number): void {
  const stays = session.stays.get(room) ?? [];
  if (stays.at(-1)?.to !== openEnd) stays.push({ from, to: openEnd });
  session.stays.set(room, stays);
}

function exit(session: Session, room: string, to: number): void {
  const stay = session.stays.get(room)?.at(-1);
  if (stay?.to === openEnd) stay.to = to;
}

/** Makes the rooms those of a full record; those that are news were joined before what is left of the log. */
function settle(session: Session, rooms: readonly string[], from: number, sequence: number): void {
  const now = new Set(rooms);
  for (const room of session.stays.keys()) if (!now.has(room)) exit(session, room, sequence);
  for (const room of now) enter(session, room, from);
}

/** A session after one more of its records; null where they tell of none yet. */
export function applied(session: Session | null, record: SessionRecord, sequence: number): Session | null {
  if (record.t === 'open') {
    if (session && record.again && record.server !== session.server) {
      // Of a server that was cut off while another one restored it: what is repeated takes it nowhere.
      session.last = sequence;
      return session;
    }
    const moved = session?.server !== record.server || !record.again;
    const next: Session = {
      ...(session ?? { stays: new Map() }),
      sid: record.sid,
      server: record.server,
      data: record.data,
      state: 'open',
      since: moved ? sequence : (session?.since ?? 0),
      last: sequence,
    };
    if (!session && record.again) next.since = 0;
    delete next.closed;
    settle(next, record.rooms, session || record.again ? 0 : sequence, sequence);
    return next;
  }
  if (!session) {
    if (record.t !== 'closed') return null;
    const opened = applied(null, { ...record, t: 'open', again: true }, sequence);
    return opened && applied(opened, record, sequence);
  }
  session.last = sequence;
  if (record.t === 'rooms') {
    for (const room of record.leave) exit(session, room, sequence);
    for (const room of record.join) enter(session, room, sequence);
  } else if (record.t === 'closed') {
    // Of a server that the session has left since: too late to matter.
    if (record.server !== session.server) return session;
    settle(session, record.rooms, 0, sequence);
    Object.assign(session, { state: 'closed', data: record.data, closed: { at: record.at, floor: record.floor } });
  } else session.state = 'ended';
  return session;
}

/** A session as its records tell it, oldest first; null where they tell of none. */
export function replay(records: readonly { sequence: number; record: SessionRecord }[]): Session | null {
  return records.reduce<Session | null>((session, { sequence, record }) => applied(session, record, sequence), null);
}

const isIn = (session: Session, room: string, sequence: number): boolean =>
  room === session.sid || (session.stays.get(room)?.some(({ from, to }) => from < sequence && sequence < to) ?? false);

/** Whether a packet of the log was for the session. */
export function wasFor(
  session: Session,
  packet: { sequence: number; rooms: readonly string[]; except: readonly string[] },
): boolean {
  const { sequence, rooms, except } = packet;
  const included = rooms.length === 0 || rooms.some((room) => isIn(session, room, sequence));
  return included && !except.some((room) => isIn(session, room, sequence));
}

/** Rooms it is in at the end of its records. */
export const roomsOf = (session: Session): string[] =>
  [...session.stays].filter(([, stays]) => stays.at(-1)?.to === openEnd).map(([room]) => room);

/** Rooms it was in at any time that the records tell of. */
export const roomsEver = (session: Session): string[] => [...session.stays.keys()];

/**
 * The sequence after which the client may have missed something: its own offset, or where its server knew better. The
 * lease counts only for what the session heard on that same server.
 */
export function missedAfter(session: Session, offset: number, lease: Lease | null): number {
  if (!lease || session.since >= lease.floor) return offset;
  return Math.max(offset, lease.floor);
}
