import { ErrorCode, NatsError } from 'nats';
import { type Arrival, type Arrivals, bytesOf, isKept } from './arrivals.ts';
import type { FanoutLog } from './log.ts';
import { everybody, leaseAudience, type NamespaceNames, roomAudience } from './names.ts';
import type { NatsLink } from './nats.link.ts';
import type { Outgoing } from './outgoing.ts';
import {
  type Lease,
  missedAfter,
  replay,
  roomsEver,
  roomsOf,
  type Session,
  type SessionRecord,
  wasFor,
} from './session.rules.ts';
import { decodeRecord, encodeRecord } from './sessions.ts';
import { decodeMessage, decodeOffset, decodeValue, type Message, type Offset } from './wire.ts';

export interface RestoreContext {
  uid: string;
  link: NatsLink;
  log: FanoutLog;
  names: NamespaceNames;
  arrivals: Arrivals;
  /** Milliseconds a session may be away. */
  maxAway: number;
  /** Milliseconds a restore may take. */
  timeout: number;
  /** Subscribes to rooms until the function that it returns is called. */
  hold(rooms: string[]): () => void;
  effective(): Promise<void>;
  /** Resolves when everything up to the sequence has been handled here. */
  reached(sequence: number): Promise<void>;
  outgoing(message: Message, sequence: number): Outgoing;
  /** Aborted where nobody waits for it any more: then nothing of the session may change. */
  signal: AbortSignal;
  /** Closes the connection that this server still has for the session; its record is written then. */
  handOver(sid: string): Promise<void>;
}

/** Whether the session may be restored for whoever connects; asked before anything is done for it. */
export type Authorize = (session: Session) => boolean | Promise<boolean>;

/** Rooms named in one reading; beyond that everything of the namespace is read. */
const maxFilters = 100;
/** Two that restore one session at once: one of them wins, the other reads again what came of it. */
const maxAttempts = 3;
const takeoverTimeout = 1_000;
/** The last message of the subject is another one. */
const overtaken = 10_071;

const isOvertaken = (error: unknown): boolean => error instanceof NatsError && error.api_error?.err_code === overtaken;

async function readSession({ log, names, timeout }: RestoreContext, pid: string): Promise<Session | null> {
  const last = await log.lastOf(names.session(pid));
  if (!last) return null;
  const records: { sequence: number; record: SessionRecord }[] = [];
  await log.scan([names.session(pid)], { from: 1, to: last.sequence, timeout }, ({ sequence, data }) => {
    records.push({ sequence, record: decodeRecord(data) });
    return true;
  });
  return replay(records);
}

/** The last sign of life of the session's server: of its closing where it could still tell. */
async function leaseOf({ log, names }: RestoreContext, session: Session): Promise<Lease | null> {
  if (session.closed) return session.closed;
  const last = await log.lastOf(names.log(leaseAudience(session.server)));
  return last && (decodeValue(decodeMessage(last.data).parts) as Lease);
}

/** Makes sure that no other connection of the session is left: its server has ended it, or is gone, or says nothing. */
async function takeOver(
  { uid, link, names, handOver }: RestoreContext,
  { server, sid }: Session,
): Promise<'ended' | 'gone' | 'silent'> {
  if (server === uid) {
    await handOver(sid);
    return 'ended';
  }
  try {
    await link.connection.request(names.takeover(server), sid, { timeout: takeoverTimeout });
    return 'ended';
  } catch (error) {
    return error instanceof NatsError && error.code === ErrorCode.NoResponders ? 'gone' : 'silent';
  }
}

/** The last of its own records is where the reading ends. */
function subjectsOf({ names }: RestoreContext, { session, pid }: Arrival): string[] {
  const rooms = roomsEver(session);
  if (rooms.length > maxFilters) return [names.everything, names.session(pid)];
  const audiences = [everybody, ...[session.sid, ...rooms].map((room) => roomAudience(room, '*'))];
  return [...audiences.map(names.log), names.session(pid)];
}

/** A server found that the log had lost its end: what comes after does not follow on what was before. */
const isCut = ({ parts }: Message): boolean => (decodeValue(parts) as { cut?: boolean }).cut === true;

/** Reads what was missed. False where it is not all there any more, or too much. */
async function readMissed(context: RestoreContext, arrival: Arrival, after: number): Promise<boolean> {
  const { log, timeout, arrivals, names } = context;
  // Messages on a room's subject name no room: the subject does.
  const roomOf = new Map(roomsEver(arrival.session).map((room) => [names.log(roomAudience(room)), [room]]));
  const toAll = names.log(everybody);
  const own = names.session(arrival.pid);
  const range = { from: after + 1, to: arrival.upTo, timeout };
  const whole = await log.scan(subjectsOf(context, arrival), range, (entry) => {
    if (entry.subject === own) return true;
    const implied = entry.subject === toAll ? [] : roomOf.get(entry.subject);
    const message = decodeMessage(entry.data);
    const rooms = message.rooms.length > 0 ? message.rooms : implied;
    if (message.control && isCut(message)) return false;
    if (!rooms || !isKept(message)) return true;
    if (!wasFor(arrival.session, { ...message, rooms, sequence: entry.sequence })) return true;
    const packet = context.outgoing(message, entry.sequence);
    arrival.missed.push(packet);
    arrival.bytes += bytesOf(packet);
    return arrivals.fits(arrival);
  });
  // Asked last: what expired while it was read is missing too.
  return whole && (await log.first()) <= after + 1;
}

/** Whether the packet that the client saw last is still what the log has in that place. */
async function isGenuine({ log }: RestoreContext, offset: Offset): Promise<boolean> {
  const id = await log.idAt(offset.sequence);
  return id === offset.id || (id === null && (await log.first()) > offset.sequence);
}

const isStillThere = ({ maxAway }: RestoreContext, session: Session, lease: Lease): boolean =>
  session.state !== 'ended' && Date.now() - lease.at <= maxAway;

async function attempt(
  context: RestoreContext,
  pid: string,
  offset: Offset,
  authorize: Authorize,
): Promise<Arrival | null> {
  let session = await readSession(context, pid);
  if (!session || session.state === 'ended' || !(await authorize(session))) return null;
  context.signal.throwIfAborted();
  let server: Awaited<ReturnType<typeof takeOver>> = 'gone';
  // One that arrives may be connected, with the record of it on its way.
  if (session.state !== 'closed') {
    server = await takeOver(context, session);
    if (server === 'silent') return null;
    session = await readSession(context, pid);
    if (!session) return null;
  }
  let lease = await leaseOf(context, session);
  // It ended before, and the record of that was lost: how long it was connected is not known, nor what it heard.
  if (lease && server === 'ended' && session.state === 'open') lease = { ...lease, floor: 0 };
  if (!lease || !isStillThere(context, session, lease) || !(await isGenuine(context, offset))) return null;
  return claim(context, { pid, session, lease, after: missedAfter(session, offset.sequence, lease) });
}

interface Claim {
  pid: string;
  session: Session;
  /** What was known when it went: so it stays known where it is claimed and does not connect. */
  lease: Lease;
  after: number;
}

async function claim(context: RestoreContext, { pid, session, lease, after }: Claim): Promise<Arrival | null> {
  const { uid, log, names, arrivals } = context;
  const rooms = roomsOf(session);
  const arrival: Arrival = {
    session,
    pid,
    upTo: Number.POSITIVE_INFINITY,
    missed: [],
    live: [],
    bytes: 0,
    release: context.hold(rooms),
  };
  if (!arrivals.expect(arrival)) {
    arrival.release();
    return null;
  }
  let taken = false;
  try {
    await context.effective();
    context.signal.throwIfAborted();
    const { at, floor } = lease;
    const record: SessionRecord = { t: 'claimed', server: uid, sid: session.sid, at, floor };
    arrival.upTo = await log.append(names.session(pid), encodeRecord(record), session.last);
    const [whole] = await Promise.all([readMissed(context, arrival, after), context.reached(arrival.upTo)]);
    taken = whole && arrivals.fits(arrival);
    return taken ? arrival : null;
  } finally {
    if (!taken) arrivals.take(session.sid);
  }
}

/**
 * Restores a session on this server: afterwards it is this server's, and what it missed waits in `arrivals`.
 * @returns null where that cannot be done without a gap; then the client gets a new session
 */
export async function restore(
  context: RestoreContext,
  pid: string,
  offsetText: string,
  authorize: Authorize,
): Promise<Arrival | null> {
  const offset = decodeOffset(offsetText);
  if (!offset || pid.length > 64) return null;
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt(context, pid, offset, authorize);
    } catch (error) {
      if (!isOvertaken(error) || tries === maxAttempts) throw error;
    }
  }
}
