import type { Msg } from 'nats';
import type { Namespace } from 'socket.io';
import type { ClusterAdapter } from 'socket.io-adapter';
import { Encoder } from 'socket.io-parser';
import { silent } from './bus.log.ts';
import { Delivery } from './delivery.ts';
import type { AdapterSocket } from './engine.ts';
import { Exchange } from './exchange.ts';
import { Interest } from './interest.ts';
import type { Live } from './live.ts';
import { FanoutLog } from './log.ts';
import { fanoutNames, type NamespaceNames } from './names.ts';
import type { NatsLink } from './nats.link.ts';
import type { AdapterOptions } from './options.ts';
import { Publisher } from './publisher.ts';
import { cutConnection } from './reader.ts';
import { Recovery } from './recovery.ts';
import { Unconfirmed } from './unconfirmed.ts';

export interface Parts {
  names: NamespaceNames;
  publisher: Publisher;
  interest: Interest;
  delivery: Delivery;
  exchange: Exchange;
  /** Absent where the sessions of the namespace do not come back. */
  recovery: Recovery | undefined;
}

/** The adapter itself, as far as its parts know it. */
export interface PartsHost {
  adapter: Pick<ClusterAdapter, 'rooms' | 'sids'>;
  uid: string;
  nsp: Namespace;
  link: NatsLink;
  options: AdapterOptions;
  /** What a message means for this server. */
  handle(live: Live): void;
}

interface ServerOptions {
  connectionStateRecovery?: { maxDisconnectionDuration?: number };
  parser?: { Encoder?: unknown };
  pingInterval?: number;
  pingTimeout?: number;
}

interface SocketServer {
  opts: ServerOptions;
  engine?: { opts: ServerOptions };
  encoder: { encode(packet: unknown): (string | Buffer)[] };
}

const serverOf = (nsp: Namespace) => nsp.server as unknown as SocketServer;

/** Milliseconds a session of this namespace may be away; undefined where none comes back. */
function maxAwayOf({ nsp, options }: PartsHost): number | undefined {
  const { connectionStateRecovery } = serverOf(nsp).opts;
  if (!connectionStateRecovery || options.recovery?.namespaces?.includes(nsp.name) === false) return undefined;
  return connectionStateRecovery.maxDisconnectionDuration ?? 120_000;
}

/** Whether packets look otherwise here than they travel; a parser that only reads in its own way changes nothing. */
const hasOwnEncoding = ({ parser }: ServerOptions): boolean => parser !== undefined && parser.Encoder !== Encoder;

/** A ping after everything else, its answer, and as much again: Engine.IO takes any packet for an answer once. */
function proofOf(nsp: Namespace): number {
  const { engine, opts } = serverOf(nsp);
  const { pingInterval = 25_000, pingTimeout = 20_000 } = engine?.opts ?? opts;
  return pingInterval + 2 * pingTimeout + 5_000;
}

/** Closes the connections of all of the namespace's sockets, or of one; they may come back. */
function drop({ sockets }: Namespace, sid?: string): void {
  const some = sid === undefined ? [...sockets.values()] : [sockets.get(sid)];
  for (const socket of some) if (socket) cutConnection((socket as unknown as AdapterSocket).client.conn);
}

/** What an adapter is made of. */
export function partsOf(host: PartsHost): Parts {
  const { adapter, uid, nsp, link, options } = host;
  const { log = silent, maxQueuedBytes = 1_048_576, maxStall = 30_000, onCut } = options;
  const { opts, encoder } = serverOf(nsp);
  const fanout = fanoutNames(options.prefix ?? 'sio');
  const names = fanout.of(nsp.name);
  const maxAway = maxAwayOf(host);
  const packets = maxAway === undefined ? undefined : new FanoutLog(link, fanout);
  const unconfirmed = packets && new Unconfirmed({ link, log: packets, fanout, names, author: uid });
  const publisher = new Publisher(link, log, unconfirmed);
  const receive = (room: string, message: Msg) => exchange.receive(message, [room]);
  const interest = new Interest(link, names.live, receive, () => publisher.flush());
  const delivery = new Delivery(adapter.rooms, { maxQueuedBytes, maxStall, ...(onCut && { onCut }) });
  const exchange: Exchange = new Exchange({
    uid,
    link,
    names,
    publisher,
    log,
    logged: packets !== undefined,
    encode: hasOwnEncoding(opts) ? (packet) => encoder.encode(packet) : undefined,
    isHere: (sid) => delivery.has(sid),
    isHeld: (room) => adapter.rooms.has(room),
    offset: () => recovery?.offset,
    handle: (live) => (recovery && live.sequence > 0 ? recovery.take(live) : host.handle(live)),
  });
  const shared = { uid, link, log, names, publisher, interest, delivery };
  const recoveryOf = (ms: number, log: FanoutLog) =>
    new Recovery(
      {
        ...shared,
        packets: log,
        newId: () => exchange.newId(),
        roomsOf: (sid) => adapter.sids.get(sid) ?? [],
        isUsed: (room) => adapter.rooms.has(room),
        outgoing: (message, sequence) => exchange.outgoing(message, sequence),
        handle: (live) => host.handle(live),
        drop: (sid) => drop(nsp, sid),
        maxAway: ms,
        proof: () => proofOf(nsp),
      },
      options.recovery ?? {},
    );
  const recovery: Recovery | undefined = packets && recoveryOf(maxAway as number, packets);
  return { names, publisher, interest, delivery, exchange, recovery };
}
