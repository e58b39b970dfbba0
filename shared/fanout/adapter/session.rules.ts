/** What servers write of a session into the log, among the packets: so both have one order. */
export type SessionRecord =
  /** It lives on `server` now; all of its rooms. `again` where that is only repeated, before older records expire. */
  | { t: 'open'; server: string; sid: string; rooms: string[]; data: unknown; again?: true }
  | { t: 'rooms'; join: string[]; leave: string[] }
  /** It comes back to `server`, which says `open` once it is connected; until then, `at` and `floor` as it was closed. */
  | { t: 'claimed'; server: string; sid: string; at: number; floor: number }
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
  /** `arriving`: claimed, and not known to be connected. */
  state: 'open' | 'closed' | 'arriving' | 'ended';
  /** Sequence since which it was connected to the server that had it last. */
  since: number;
  /** Sequence of its last record. */
  last: number;
  /** While it is away. */
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

type RecordOf<T extends SessionRecord['t']> = Extract<SessionRecord, { t: T }>;

function opened(session: Session | null, record: RecordOf<'open'>, sequence: number): Session {
  const { server, sid, data, rooms, again } = record;
  const goesOn = again && (!session || session.state === 'open');
  const next: Session = {
    ...(session ?? { stays: new Map() }),
    sid,
    server,
    data,
    state: 'open',
    since: goesOn ? (session?.since ?? 0) : sequence,
    last: sequence,
  };
  delete next.closed;
  settle(next, rooms, goesOn ? 0 : sequence, sequence);
  return next;
}

function closed(session: Session, { rooms, data, at, floor }: RecordOf<'closed'>, sequence: number): void {
  // What says that it was connected there is lost: the floor tells nothing of it.
  if (session.state !== 'open') session.since = sequence;
  settle(session, rooms, 0, sequence);
  Object.assign(session, { state: 'closed', data, closed: { at, floor } });
}

/** Of a server that another one has taken it from: what it repeats, or says of its end, is too late to matter. */
const isLate = (session: Session, record: SessionRecord): boolean =>
  (record.t === 'closed' || (record.t === 'open' && record.again === true)) && record.server !== session.server;

/** A session after one more of its records; null where they tell of none yet. */
export function applied(session: Session | null, record: SessionRecord, sequence: number): Session | null {
  if (!session) {
    if (record.t === 'open') return opened(null, record, sequence);
    return record.t === 'closed'
      ? applied(opened(null, { ...record, t: 'open', again: true }, sequence), record, sequence)
      : null;
  }
  session.last = sequence;
  if (isLate(session, record)) return session;
  if (record.t === 'open') return opened(session, record, sequence);
  if (record.t === 'rooms') {
    for (const room of record.leave) exit(session, room, sequence);
    for (const room of record.join) enter(session, room, sequence);
  } else if (record.t === 'claimed') {
    const { server, at, floor } = record;
    Object.assign(session, { state: 'arriving', server, closed: { at, floor } });
  } else if (record.t === 'closed') closed(session, record, sequence);
  else session.state = 'ended';
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
