import type { Msg, NatsConnection, Subscription } from 'nats';
import type { Namespace } from 'socket.io';
import {
  Adapter,
  type BroadcastOptions,
  ClusterAdapterWithHeartbeat,
  type ClusterMessage,
  type ClusterResponse,
  MessageType,
  type Room,
  type SocketId,
  type Session as SocketSession,
} from 'socket.io-adapter';
import { silent } from '../envelope.ts';
import type { NatsLink } from '../nats.link.ts';
import { Delivery } from './delivery.ts';
import type { AdapterSocket, Client } from './engine.ts';
import { Exchange } from './exchange.ts';
import { Interest } from './interest.ts';
import { linkOf } from './link.ts';
import type { Live } from './live.ts';
import { everybody, type FanoutNames, fanoutNames, looksLikeSocketId, type NamespaceNames } from './names.ts';
import type { AdapterOptions, Connecting } from './options.ts';
import { Publisher } from './publisher.ts';
import { cutConnection } from './reader.ts';
import { Recovery } from './recovery.ts';
import { roomsOf } from './session.rules.ts';
import { turn } from './turn.ts';
import { decodeMessage, decodeValue, encodeMessage, encodePacket, encodeValue, type Message } from './wire.ts';

/** What servers ask each other beside what Socket.IO's cluster adapter has. */
type Control = ClusterMessage | { count: string } | { cut: true };

interface ServerOptions {
  connectionStateRecovery?: { maxDisconnectionDuration?: number };
  parser?: unknown;
}

/** @internal */
export class NatsAdapter extends ClusterAdapterWithHeartbeat {
  readonly #link: NatsLink;
  readonly #names: NamespaceNames;
  readonly #publisher: Publisher;
  readonly #interest: Interest;
  readonly #delivery: Delivery;
  readonly #exchange: Exchange;
  readonly #recovery: Recovery | undefined;
  readonly #options: AdapterOptions;
  readonly #subscriptions: Subscription[] = [];
  readonly #acks = new Map<string, () => void>();
  #connecting: Connecting | undefined;

  constructor(nsp: Namespace, connection: NatsConnection, options: AdapterOptions) {
    super(nsp, {
      heartbeatInterval: options.heartbeatInterval ?? 1_500,
      heartbeatTimeout: options.heartbeatTimeout ?? 5_000,
    });
    this.#options = options;
    this.#link = linkOf(connection);
    const fanout = fanoutNames(options.prefix ?? 'sio');
    this.#names = fanout.of(nsp.name);
    const log = options.log ?? silent;
    this.#publisher = new Publisher(this.#link, log);
    const receive = (room: string, message: Msg) => this.#exchange.receive(message, [room]);
    this.#interest = new Interest(this.#link, this.#names.live, receive, () => this.#publisher.flush());
    const { maxQueuedBytes = 1_048_576, maxStall = 30_000, onCut } = options;
    this.#delivery = new Delivery(this.rooms, { maxQueuedBytes, maxStall, ...(onCut && { onCut }) });
    const { opts, encoder } = nsp.server as unknown as {
      opts: ServerOptions;
      encoder: { encode(packet: unknown): (string | Buffer)[] };
    };
    this.#exchange = new Exchange({
      uid: this.uid,
      link: this.#link,
      names: this.#names,
      publisher: this.#publisher,
      log,
      logged: opts.connectionStateRecovery !== undefined,
      // Of a server with another parser than the usual one.
      encode: opts.parser ? (packet) => encoder.encode(packet) : undefined,
      isHere: (sid) => this.#delivery.has(sid),
      isHeld: (room) => this.rooms.has(room),
      offset: () => this.#recovery?.offset,
      handle: (live) => (this.#recovery && live.sequence > 0 ? this.#recovery.take(live) : this.#handle(live)),
    });
    this.#recovery = this.#recoveryFor(fanout);
    this.on('delete-room', (room: Room) => this.#interest.remove(room));
  }

  override init(): void {
    const { connection } = this.#link;
    const hear = (subject: string, callback: (message: Msg) => void) =>
      this.#subscriptions.push(
        connection.subscribe(subject, { callback: (error, message) => !error && callback(message) }),
      );
    hear(this.#names.live(everybody), (message) => this.#exchange.receive(message, []));
    hear(this.#names.heartbeats, (message) => this.#heartbeat(message));
    hear(this.#names.server(this.uid), ({ data }) =>
      this.onResponse(decodeValue(decodeMessage(data).parts) as ClusterResponse),
    );
    if (this.#recovery) {
      hear(this.#names.live(`r.${this.uid}.>`), (message) => this.#exchange.receive(message, null));
      this.#watchConnects();
      this.#recovery.start();
    }
    super.init();
  }

  override async close(): Promise<void> {
    super.close();
    await this.#recovery?.stop();
    for (const subscription of this.#subscriptions.splice(0)) subscription.unsubscribe();
    this.#interest.close();
    this.#publisher.close();
  }

  override addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void {
    turn.distribute();
    const known = this.sids.get(id);
    const added = [...rooms].filter((room) => !known?.has(room));
    super.addAll(id, rooms);
    const socket = this.nsp.sockets.get(id) as AdapterSocket | undefined;
    const arrives = socket && !this.#delivery.has(id);
    if (arrives) {
      this.#delivery.add(socket);
      this.#recovery?.joined(socket);
    } else this.#recovery?.sessions.changed(id, added, []);
    // A socket's own room needs none: who publishes for it knows its server, or tells everybody.
    const wanted = added.filter((room) => room !== id || !looksLikeSocketId(id));
    for (const room of wanted) this.#interest.add(room);
    return wanted.length > 0 ? this.#interest.effective() : undefined;
  }

  override del(id: SocketId, room: Room): void {
    turn.distribute();
    if (this.sids.get(id)?.has(room)) this.#recovery?.sessions.changed(id, [], [room]);
    super.del(id, room);
  }

  override delAll(id: SocketId): void {
    this.#delivery.remove(id);
    this.#recovery?.left(id);
    super.delAll(id);
  }

  override async broadcast(packet: { nsp?: string; id?: number }, opts: BroadcastOptions): Promise<void> {
    packet.nsp = this.nsp.name;
    const { flags } = opts;
    const header = {
      id: this.#exchange.newId(),
      rooms: [...opts.rooms],
      except: [...(opts.except ?? [])],
      ...(flags?.volatile && { volatile: true }),
      ...(flags?.compress !== undefined && { compress: flags.compress }),
      ...(packet.id !== undefined && { acked: true }),
    };
    const parts = encodePacket(packet);
    const sent = !flags?.local && this.#exchange.send(header, parts);
    if (!sent || !this.#recovery) this.#handle({ sequence: 0, message: { ...header, parts }, rooms: header.rooms });
  }

  override broadcastWithAck(
    packet: unknown,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: unknown[]) => void,
  ): void {
    if (!this.#recovery || opts.flags?.local) {
      super.broadcastWithAck(packet, opts, clientCountCallback, ack);
      return;
    }
    // This server's own sockets get it when it comes out of the log, in their order.
    const requestId = this.#exchange.newId();
    const requests = (this as unknown as { ackRequests: Map<string, unknown> }).ackRequests;
    requests.set(requestId, { clientCountCallback, ack });
    this.#acks.set(requestId, () =>
      Adapter.prototype.broadcastWithAck.call(this, packet, opts, clientCountCallback, ack),
    );
    setTimeout(() => {
      requests.delete(requestId);
      this.#acks.delete(requestId);
    }, opts.flags?.timeout).unref();
    this.publish({ type: MessageType.BROADCAST, data: { packet, requestId, opts: plainOptions(opts) } });
  }

  override async addSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
    if (!this.#recovery || opts.flags?.local) return super.addSockets(opts, rooms);
    this.publish({ type: MessageType.SOCKETS_JOIN, data: { opts: plainOptions(opts), rooms } });
  }

  override async delSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
    if (!this.#recovery || opts.flags?.local) return super.delSockets(opts, rooms);
    this.publish({ type: MessageType.SOCKETS_LEAVE, data: { opts: plainOptions(opts), rooms } });
  }

  override async disconnectSockets(opts: BroadcastOptions, close: boolean): Promise<void> {
    if (!this.#recovery || opts.flags?.local) return super.disconnectSockets(opts, close);
    this.publish({ type: MessageType.DISCONNECT_SOCKETS, data: { opts: plainOptions(opts), close } });
  }

  override persistSession({ sid, rooms }: { sid: SocketId; rooms: Room[] }): void {
    this.#recovery?.closed(sid, rooms);
  }

  override async restoreSession(pid: string, offset: string): Promise<SocketSession> {
    const connecting = this.#connecting ?? { request: undefined, auth: {} };
    const arrival = await this.#recovery?.restore(pid, offset, connecting);
    if (!arrival) return null as unknown as SocketSession;
    const { session } = arrival;
    // What was missed follows the CONNECT packet: see Recovery.joined.
    return { sid: session.sid, pid, rooms: roomsOf(session), data: session.data, missedPackets: [] };
  }

  protected override async doPublish(message: ClusterMessage): Promise<string> {
    const beats = [MessageType.INITIAL_HEARTBEAT, MessageType.HEARTBEAT, MessageType.ADAPTER_CLOSE];
    if (beats.includes(message.type)) {
      this.#publisher.publish(this.#names.heartbeats, Buffer.from(JSON.stringify(message)));
      return '';
    }
    const header = { id: this.#exchange.newId(), rooms: [], except: [], control: true };
    if (!this.#exchange.send(header, encodeValue(message))) throw new Error('the message is too large for NATS');
    return '';
  }

  protected override async doPublishResponse(requesterUid: string, response: ClusterResponse): Promise<void> {
    const data = encodeMessage(
      { id: this.#exchange.newId(), rooms: [], except: [], control: true },
      encodeValue(response),
    );
    this.#publisher.publish(this.#names.server(requesterUid), data);
  }

  #recoveryFor(fanout: FanoutNames): Recovery | undefined {
    const { connectionStateRecovery } = this.nsp.server.opts as ServerOptions;
    if (!connectionStateRecovery) return undefined;
    return new Recovery(
      {
        uid: this.uid,
        link: this.#link,
        log: this.#options.log ?? silent,
        fanout,
        names: this.#names,
        publisher: this.#publisher,
        interest: this.#interest,
        delivery: this.#delivery,
        newId: () => this.#exchange.newId(),
        roomsOf: (sid) => this.sids.get(sid) ?? [],
        isUsed: (room) => this.rooms.has(room),
        outgoing: (message, sequence) => this.#exchange.outgoing(message, sequence),
        handle: (live) => this.#handle(live),
        drop: (sid) => this.#drop(sid),
        maxAway: connectionStateRecovery.maxDisconnectionDuration ?? 120_000,
        proof: () => this.#proof(),
      },
      this.#options.recovery ?? {},
    );
  }

  /** A ping after everything else, its answer, and as much again: Engine.IO takes any packet for an answer once. */
  #proof(): number {
    const { server } = this.nsp;
    const { pingInterval = 25_000, pingTimeout = 20_000 } = server.engine?.opts ?? server.opts;
    return pingInterval + 2 * pingTimeout + 5_000;
  }

  #handle({ message, sequence, rooms }: Live): void {
    if (message.control) this.#control(message, rooms);
    else {
      const { except, volatile } = message;
      this.#delivery.send(this.#exchange.outgoing(message, sequence), { rooms, except, volatile });
    }
  }

  #control(message: Message, rooms: readonly string[]): void {
    const value = decodeValue(message.parts) as Control;
    if ('count' in value) {
      const count = this.#delivery.count({ rooms, except: message.except });
      this.#publisher.publish(value.count, Buffer.from(JSON.stringify({ uid: this.uid, count })));
    } else if ('cut' in value) return;
    else if (value.uid === this.uid) this.#echo(value);
    else this.onMessage(value);
  }

  /** What this server asked of all comes out of the log: now it is its own turn. */
  #echo(message: ClusterMessage): void {
    if (message.type === MessageType.BROADCAST) {
      const { requestId = '' } = message.data;
      this.#acks.get(requestId)?.();
      this.#acks.delete(requestId);
    } else if (message.type === MessageType.SOCKETS_JOIN) {
      Adapter.prototype.addSockets.call(this, options(message.data.opts), message.data.rooms);
    } else if (message.type === MessageType.SOCKETS_LEAVE) {
      Adapter.prototype.delSockets.call(this, options(message.data.opts), message.data.rooms);
    } else if (message.type === MessageType.DISCONNECT_SOCKETS) {
      Adapter.prototype.disconnectSockets.call(this, options(message.data.opts), message.data.close ?? false);
    }
  }

  #heartbeat(received: Msg): void {
    const message = received.json<ClusterMessage | { sync: string }>();
    if ('sync' in message) this.#publisher.publish(message.sync, Buffer.from(this.uid));
    else this.onMessage(message);
  }

  /** Who connects, for whoever decides about its session: Socket.IO asks for a session by its id only. */
  #watchConnects(): void {
    const { nsp } = this;
    const create = nsp._createSocket.bind(nsp);
    nsp._createSocket = (client: Client, auth: Record<string, unknown>) => {
      this.#connecting = { request: client.request, auth };
      try {
        return create(client, auth);
      } finally {
        this.#connecting = undefined;
      }
    };
  }

  #drop(sid?: string): void {
    const sockets: AdapterSocket[] = sid === undefined ? [...this.nsp.sockets.values()] : [this.nsp.sockets.get(sid)];
    for (const socket of sockets) if (socket) cutConnection(socket.client.conn);
  }
}

const plainOptions = ({ rooms, except, flags }: BroadcastOptions) => ({
  rooms: [...rooms],
  except: [...(except ?? [])],
  flags: flags ?? {},
});

const options = ({ rooms, except, flags }: ReturnType<typeof plainOptions>): BroadcastOptions => ({
  rooms: new Set(rooms),
  except: new Set(except),
  flags,
});

/**
 * A Socket.IO adapter over NATS, for `new Server({ adapter })` or `io.adapter(…)`. The connection belongs to the
 * caller; with `connectionStateRecovery` it needs JetStream, NATS 2.10 or newer.
 */
export function createAdapter(connection: NatsConnection, options: AdapterOptions = {}) {
  // Socket.IO calls it with `new`, which an arrow function refuses.
  return function natsAdapter(nsp: Namespace): Adapter {
    return new NatsAdapter(nsp, connection, options);
  };
}
