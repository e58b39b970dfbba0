import type { Server } from 'socket.io';
import { Failure } from '../../shared/contracts/index.ts';
import type { Connection } from '../../shared/fanout/adapter/engine.ts';
import { cutConnection } from '../../shared/fanout/adapter/reader.ts';
import { Seat } from '../../shared/fanout/adapter/seat.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { GatewayMetrics } from '../core/metrics.ts';
import type { SocketsElsewhere } from './elsewhere.ts';
import { userRoom } from './events.ts';
import { Minute } from './minute.ts';

/** What is bounded per address, user or connection; labels of `trigate_limits_hit_total`. */
export type SocketLimit =
  | 'connections'
  | 'sockets_per_user'
  | 'rooms_per_socket'
  | 'messages'
  | 'flood'
  | 'running'
  | 'message_size'
  | 'unread_bytes'
  | 'unread_time';
export type LimitHit = (limit: SocketLimit) => void;

export const limitHits =
  (metrics: GatewayMetrics): LimitHit =>
  (limit) =>
    metrics.limitHit('socketio', limit);

/** Bytes that may wait in this process for one connection, and milliseconds it may take none of them. */
const maxQueuedBytes = 1_048_576;
const maxStall = 30_000;

/** Cuts whoever does not read before too much waits for it. */
export function boundReaders(io: Server, hit: LimitHit, log: Pick<Log, 'warn'>): void {
  const onCut = (reason: 'bytes' | 'time') => {
    hit(`unread_${reason}`);
    log.warn({ reason }, 'a client that did not read was cut');
  };
  io.engine.on('connection', (connection: Connection) => {
    Seat.of(connection, { maxQueuedBytes, maxStall, onCut });
    connection.on('close', (_reason: string, error?: unknown) => {
      // Engine.IO has made an error of its own of the one of ws, which has a code.
      if (error instanceof Error && error.message.includes('Max payload size exceeded')) hit('message_size');
    });
  });
}

/** Packets a minute, for each message that is allowed in it, beyond which nothing of a connection is read any more. */
const floodFactor = 10;

/** Cuts whoever goes on sending, as refusing costs something, too. */
export function boundFloods(io: Server, messagesPerMinute: number, hit: LimitHit, log: Pick<Log, 'warn'>): void {
  if (messagesPerMinute === 0) return;
  const most = messagesPerMinute * floodFactor;
  io.engine.on('connection', (connection: Connection) => {
    const packets = new Minute();
    connection.on('packet', ({ data }: { data?: unknown }) => {
      // Attachments belong to the packet before them, which has ten at most.
      if (Buffer.isBuffer(data) || packets.add() <= most) return;
      cutConnection(connection);
      hit('flood');
      log.warn({ most }, 'a client that sent far too many messages was cut');
    });
  });
}

/** At most so many sockets of one user, here and, as far as this gateway has heard, elsewhere; 0 is no limit. */
export class SocketsPerUser {
  readonly #io: Server;
  readonly #most: number;
  readonly #hit: LimitHit;
  readonly #elsewhere: Pick<SocketsElsewhere, 'count'>;
  /** Let in, and in the room of their user by the end of the turn, or gone. */
  readonly #entering = new Map<string, Set<string>>();

  constructor(io: Server, most: number, hit: LimitHit, elsewhere: Pick<SocketsElsewhere, 'count'>) {
    this.#io = io;
    this.#most = most;
    this.#hit = hit;
    this.#elsewhere = elsewhere;
  }

  /**
   * `recovered`: it is in the room of its user already, and takes the place it had. That may have been at a gateway
   * that died and still counts, so what is elsewhere does not keep it out.
   * @throws Failure LIMIT_EXCEEDED
   */
  enter(userId: string, socketId: string, recovered = false): void {
    if (this.#most === 0) return;
    const entering = this.#entering.get(userId) ?? new Set<string>();
    const there = this.#io.of('/').adapter.rooms.get(userRoom(userId)) ?? new Set<string>();
    const joining = [...entering].filter((id) => !there.has(id)).length;
    const here = there.size + joining - (there.has(socketId) ? 1 : 0);
    if (here + (recovered ? 0 : this.#elsewhere.count(userId)) >= this.#most) {
      this.#hit('sockets_per_user');
      throw new Failure('LIMIT_EXCEEDED', `A user has at most ${this.#most} connections`);
    }
    this.#entering.set(userId, entering.add(socketId));
    setImmediate(() => {
      entering.delete(socketId);
      if (entering.size === 0 && this.#entering.get(userId) === entering) this.#entering.delete(userId);
    });
  }
}
