import { randomUUID } from 'node:crypto';
import type { Namespace, Socket } from 'socket.io';
import { Adapter, type BroadcastOptions, type Session } from 'socket.io-adapter';
import { PacketLog } from './packet.log.ts';

/** Within which a session can be recovered. */
export const recoveryMs = 120_000;
/** Within which a connection that is gone is found to be: a ping of Engine.IO, and the time for its answer. */
const unnoticedMs = 25_000 + 20_000;
const maxPackets = 50_000;
const maxBytes = 64 * 1_048_576;
const maxSessions = 10_000;
/** Bytes a session may have missed: a connection for which more than 1 MiB waits is cut. */
const maxMissedBytes = 524_288;

type SessionToKeep = Omit<Session, 'missedPackets'>;
interface Kept extends SessionToKeep {
  endedAt: number;
  /** The newest packet when it ended, and the newest that was for it. */
  newest: number;
  newestForIt: number;
}
interface EventPacket {
  type: number;
  id?: number;
  data: unknown[];
}
const eventType = 2;

/**
 * Recovery within one process. Socket.IO's own adapter sends what was missed before anybody has looked at the token,
 * loses what is sent while a middleware looks at it, and keeps packets without a bound: so here a session is restored
 * without its packets, and those follow in `connected`, in the same turn in which the socket begins to hear.
 */
export class RecoveryAdapter extends Adapter {
  /** Offsets of another run of the process mean nothing to this one. */
  readonly #run = randomUUID().slice(0, 8);
  readonly #log = new PacketLog({ age: recoveryMs + unnoticedMs, packets: maxPackets, bytes: maxBytes });
  /** By their secret ids, in the order in which they ended. */
  readonly #sessions = new Map<string, Kept>();
  /** Sockets that are connected, by their secret ids. */
  readonly #live = new Map<string, Socket>();
  /** Sockets that were restored and are not connected yet, by id: the session, and after which packet they go on. */
  readonly #restored = new Map<string, { pid: string; after: number }>();
  /** The newest packet of each room that has somebody in it, and of everybody. */
  readonly #newestIn = new Map<string, number>();
  #newestForAll = 0;

  constructor(namespace: unknown) {
    super(namespace);
    this.on('delete-room', (room: string) => this.#newestIn.delete(room));
  }

  override broadcast(packet: EventPacket, options: BroadcastOptions): void {
    const stored = packet.type === eventType && packet.id === undefined && options.flags?.volatile === undefined;
    if (stored) this.#keep(packet, options);
    super.broadcast(packet, options);
  }

  override persistSession(session: SessionToKeep): void {
    const newestForIt = session.rooms.reduce(
      (newest, room) => Math.max(newest, this.#newestIn.get(room) ?? 0),
      this.#newestForAll,
    );
    this.#sessions.set(session.pid, { ...session, endedAt: Date.now(), newest: this.#log.newest, newestForIt });
    for (const [pid, { endedAt }] of this.#sessions) {
      if (this.#sessions.size <= maxSessions && Date.now() - endedAt < recoveryMs) break;
      this.#sessions.delete(pid);
    }
  }

  /** Null where something may be missing, and while another connection is at it. */
  override async restoreSession(pid: string, offset: string): Promise<Session> {
    // A client often knows first that its connection is gone. Ending it here keeps its session, in the same turn.
    this.#live.get(pid)?.conn.close(true);
    const session = this.#sessions.get(pid);
    const after = session && !this.#restored.has(session.sid) ? this.#place(session, offset) : undefined;
    // Socket.IO takes null for none; its types do not say so.
    if (!session || after === undefined) return null as never;
    const { sid, rooms, data } = session;
    this.#restored.set(sid, { pid, after });
    return { sid, pid, rooms, data, missedPackets: [] };
  }

  /** A socket that was restored but not let in leaves everything too: its session may be restored again. */
  override delAll(id: string): void {
    this.#restored.delete(id);
    super.delAll(id);
  }

  /** A socket was let in. One that was restored is sent what it missed of the rooms it is in. */
  connected(socket: Socket): void {
    const { pid } = socket as unknown as { pid: string };
    this.#live.set(pid, socket);
    socket.once('disconnect', () => this.#live.delete(pid));
    this.#replay(socket);
  }

  #replay(socket: Socket): void {
    const restored = this.#restored.get(socket.id);
    if (!restored) return;
    this.#restored.delete(socket.id);
    this.#sessions.delete(restored.pid);
    const send = (socket as unknown as { packet(packet: object): void }).packet.bind(socket);
    for (const { data, rooms, except } of this.#log.after(restored.after)) {
      if (isFor(rooms, except, socket.rooms)) send({ type: eventType, data });
    }
  }

  /** The session is somebody else's: this socket begins anew, and the session is gone, as its secret is out. */
  forget(socket: Socket): void {
    const restored = this.#restored.get(socket.id);
    if (restored) this.#sessions.delete(restored.pid);
    this.delAll(socket.id);
    // A new secret, from which the client sees that nothing was recovered.
    Object.assign(socket, { recovered: false, pid: randomUUID(), data: {} });
  }

  /** The sequence after which a session goes on, where everything since then is kept. */
  #place({ endedAt, newest, newestForIt, rooms }: Kept, offset: string): number | undefined {
    const [run, sequence] = offset.split('.', 2);
    const heard = Number.parseInt(sequence ?? '', 36);
    if (run !== this.#run || !Number.isSafeInteger(heard) || Date.now() - endedAt > recoveryMs) return undefined;
    // Who had heard all that was for it needs only what came after it was gone.
    const after = heard >= newestForIt ? Math.max(heard, newest) : heard;
    return this.#log.holdsAfter(after) && this.#missed(after, new Set(rooms)) <= maxMissedBytes ? after : undefined;
  }

  /** Bytes, roughly, that were for these rooms. */
  #missed(after: number, own: ReadonlySet<string>): number {
    let sum = 0;
    for (const { bytes, rooms, except } of this.#log.after(after)) if (isFor(rooms, except, own)) sum += bytes;
    return sum;
  }

  #keep(packet: EventPacket, { rooms, except }: BroadcastOptions): void {
    const sequence = this.#log.next();
    // Clients of Socket.IO 4.6 and newer remember the last argument and send it as `offset` when they come back.
    packet.data.push(`${this.#run}.${sequence.toString(36)}`);
    this.#log.add({ data: packet.data, rooms, except }, Date.now());
    if (rooms.size === 0) this.#newestForAll = sequence;
    for (const room of rooms) if (this.rooms.has(room)) this.#newestIn.set(room, sequence);
  }
}

/** Only the namespace of clients has sessions that are worth it. */
export function recoveryAdapter(namespace: Namespace): Adapter {
  return namespace.name === '/' ? new RecoveryAdapter(namespace) : new Adapter(namespace);
}

function isFor(rooms: ReadonlySet<string>, except: ReadonlySet<string> | undefined, own: ReadonlySet<string>): boolean {
  const among = (room: string) => own.has(room);
  if (except && [...except].some(among)) return false;
  return rooms.size === 0 || [...rooms].some(among);
}
