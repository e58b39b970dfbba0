import type { Msg, NatsConnection, Subscription } from 'nats';
import type { Namespace } from 'socket.io';
import {
  type Adapter,
  type BroadcastOptions,
  ClusterAdapterWithHeartbeat,
  type ClusterMessage,
  type ClusterResponse,
  MessageType,
  type Room,
  type SocketId,
  type Session as SocketSession,
} from 'socket.io-adapter';
import { Connects } from './connects.ts';
import type { Delivery } from './delivery.ts';
import { Echoes } from './echoes.ts';
import type { AdapterSocket } from './engine.ts';
import type { Exchange } from './exchange.ts';
import type { Interest } from './interest.ts';
import { linkOf } from './link.ts';
import type { Live } from './live.ts';
import { everybody, looksLikeSocketId, type NamespaceNames } from './names.ts';
import type { NatsLink } from './nats.link.ts';
import type { AdapterOptions } from './options.ts';
import { partsOf } from './parts.ts';
import { Peers } from './peers.ts';
import type { Publisher } from './publisher.ts';
import type { Recovery } from './recovery.ts';
import { roomsOf, type Session } from './session.rules.ts';
import { turn } from './turn.ts';
import { decodeMessage, decodeValue, encodeMessage, encodePacket, encodeValue, type Message } from './wire.ts';

/** What servers ask each other beside what Socket.IO's cluster adapter has. */
type Control = ClusterMessage | { count: string } | { cut: true };

/** Events of the adapter: another server is gone, `(uid, when it was heard last in ms)`; it was only silent, `(uid)`. */
export const serverLost = 'server-lost';
export const serverBack = 'server-back';

/** @internal */
export class NatsAdapter extends ClusterAdapterWithHeartbeat {
  readonly #link: NatsLink;
  readonly #names: NamespaceNames;
  readonly #publisher: Publisher;
  readonly #interest: Interest;
  readonly #delivery: Delivery;
  readonly #exchange: Exchange;
  readonly #recovery: Recovery | undefined;
  readonly #subscriptions: Subscription[] = [];
  readonly #echoes: Echoes;
  readonly #connects = new Connects();
  readonly #peers: Peers;

  constructor(nsp: Namespace, connection: NatsConnection, options: AdapterOptions) {
    const { heartbeatInterval = 1_500, heartbeatTimeout = 5_000 } = options;
    super(nsp, { heartbeatInterval, heartbeatTimeout });
    this.#link = linkOf(connection);
    const { uid } = this;
    const handle = (live: Live) => this.#handle(live);
    const parts = partsOf({ adapter: this, uid, nsp, link: this.#link, options, handle });
    this.#names = parts.names;
    this.#publisher = parts.publisher;
    this.#interest = parts.interest;
    this.#delivery = parts.delivery;
    this.#exchange = parts.exchange;
    this.#recovery = parts.recovery;
    this.#echoes = new Echoes({
      adapter: this,
      newId: () => this.#exchange.newId(),
      publish: (message) => this.publish(message),
    });
    this.#peers = new Peers(this, {
      uid,
      link: this.#link,
      timeout: heartbeatTimeout,
      lost: (peer, seen) => this.emit(serverLost, peer, seen),
      back: (peer) => this.emit(serverBack, peer),
    });
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
      this.#connects.watch(this.nsp);
      this.#recovery.start();
    }
    super.init();
  }

  override async close(): Promise<void> {
    super.close();
    this.#peers.close();
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
    if (sent && this.#recovery) return;
    this.#recovery?.settle();
    this.#handle({ sequence: 0, message: { ...header, parts }, rooms: header.rooms });
  }

  /** As `to(rooms).emit(…)`, to all servers or to none. @throws RangeError where the packet is larger than NATS takes */
  emitWhole(rooms: readonly string[], event: string, args: readonly unknown[]): void {
    const header = { id: this.#exchange.newId(), rooms, except: [] };
    const parts = encodePacket({ type: 2, nsp: this.nsp.name, data: [event, ...args] });
    if (!this.#exchange.send(header, parts)) throw new RangeError('the packet is larger than NATS takes');
    if (!this.#recovery) this.#handle({ sequence: 0, message: { ...header, parts }, rooms });
  }

  /** What every server of the cluster emits alike: the sockets get one of it, with recovery out of the log. */
  emitOnce(id: string, rooms: readonly string[], event: string, args: readonly unknown[]): void {
    const header = { id: this.#exchange.newId(), rooms, except: [] };
    const parts = encodePacket({ type: 2, nsp: this.nsp.name, data: [event, ...args] });
    if (this.#recovery && this.#exchange.send(header, parts, id)) return;
    this.#recovery?.settle();
    this.#handle({ sequence: 0, message: { ...header, parts }, rooms });
  }

  override broadcastWithAck(
    packet: unknown,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: unknown[]) => void,
  ): void {
    if (!this.#recovery || opts.flags?.local) super.broadcastWithAck(packet, opts, clientCountCallback, ack);
    else this.#echoes.broadcastWithAck(packet, opts, clientCountCallback, ack);
  }

  override async addSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
    if (!this.#recovery || opts.flags?.local) return super.addSockets(opts, rooms);
    this.#echoes.addSockets(opts, rooms);
  }

  override async delSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
    if (!this.#recovery || opts.flags?.local) return super.delSockets(opts, rooms);
    this.#echoes.delSockets(opts, rooms);
  }

  override async disconnectSockets(opts: BroadcastOptions, close: boolean): Promise<void> {
    if (!this.#recovery || opts.flags?.local) return super.disconnectSockets(opts, close);
    this.#echoes.disconnectSockets(opts, close);
  }

  /** A socket's `data` has changed, in a way that is to outlive this server even where it is killed. */
  touch(sid: SocketId): void {
    this.#recovery?.sessions.touch(sid);
  }

  override persistSession({ sid, rooms }: { sid: SocketId; rooms: Room[] }): void {
    this.#recovery?.closed(sid, rooms);
  }

  override async restoreSession(pid: string, offset: string): Promise<SocketSession> {
    const arrival = await this.#recovery?.restore(pid, offset, this.#connects.now);
    if (!arrival) return null as unknown as SocketSession;
    const { session } = arrival;
    // What was missed follows the CONNECT packet: see Recovery.joined.
    return { sid: session.sid, pid, rooms: roomsOf(session), data: session.data, missedPackets: [] };
  }

  override onMessage(message: ClusterMessage, offset?: string): void {
    this.#peers.heard(message.uid);
    super.onMessage(message, offset);
  }

  /** Whether this server is to do what one of them does for all; two may think so for a moment. */
  get isFirst(): boolean {
    return this.#peers.first;
  }

  /** The sessions that another server had last and did not end. @throws Error where they cannot be read now */
  async sessionsOf(server: string): Promise<Session[]> {
    return (await this.#recovery?.sessionsOf(server)) ?? [];
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
    else if (value.uid === this.uid) this.#echoes.came(value);
    else this.onMessage(value);
  }

  #heartbeat(received: Msg): void {
    const message = received.json<ClusterMessage | { sync: string }>();
    if ('sync' in message) this.#publisher.publish(message.sync, Buffer.from(this.uid));
    else this.onMessage(message);
  }
}

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
