import moleculer from 'moleculer';
import { Events, type Msg, type NatsConnection } from 'nats';
import { Failure } from '../contracts/index.ts';
import { decodeResponse, encodeResponse, type ResponsePayload } from './nats.responses.ts';

interface Outgoing {
  subject: string;
  data: Uint8Array;
  reply: string | undefined;
}
interface SendMeta {
  packet?: { type: string; target?: string | null };
}

/** Of `broker.call`: where the answer comes from another process, it may be a JsonText. */
export interface TextOption {
  jsonText?: boolean;
}

type Packet = ReturnType<moleculer.Transporters.Base['deserialize']>;

const responseType = 'RES';
const probeEveryMs = 500;
const disconnectGraceMs = 1_000;
const defaultMaxBytes = 1_048_576;
const nothing = new Uint8Array();
const tooLarge = () => new Failure('PAYLOAD_TOO_LARGE', 'The answer is larger than the NATS servers carry');

/**
 * Moleculer over a NATS connection that its owner shares with the bus. Three things the stock transporter does not do:
 *
 * - All packets of one event-loop turn leave in one socket write. nats.js flushes in a microtask, which under many
 *   client sockets is one write per request, the dearest part of a request.
 * - Requests carry a reply subject, so NATS itself says at once ("no responders", status 503) that a process is gone.
 *   Heartbeats alone would leave its requests hanging for seconds.
 * - A result is written once, by its service: gateways ask for its JSON and pass that on.
 */
export class NatsTransporter extends moleculer.Transporters.Base {
  private readonly nats: NatsConnection;
  private queue: Outgoing[] = [];
  private scheduled = false;
  private probe: NodeJS.Timeout | undefined;
  private grace: NodeJS.Timeout | undefined;

  constructor(connection: NatsConnection) {
    super({});
    this.nats = connection;
    this.hasBuiltInBalancer = false;
  }

  override async connect(): Promise<void> {
    this.watchConnection();
    this.nats.subscribe(this.aliveSubject(this.nodeID), { callback: () => undefined });
    this.nats.subscribe(`${this.noResponderSubject('*')}`, {
      callback: (_error, message) => this.nobodyThere(message),
    });
    this.probe = setInterval(() => this.probePending(), probeEveryMs);
    this.probe.unref();
    await this.onConnected();
  }

  /** The connection stays open: it is its owner's. */
  override async disconnect(): Promise<void> {
    clearInterval(this.probe);
    clearTimeout(this.grace);
    this.connected = false;
    this.flushTurn();
    if (!this.nats.isClosed()) await this.nats.flush();
  }

  override subscribe(command: string, nodeID?: string): Promise<void> {
    this.nats.subscribe(this.getTopicName(command, nodeID), {
      callback: (error, message) => {
        if (error) return;
        const { buffer, byteOffset, byteLength } = message.data;
        this.receive(command, Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength));
      },
    });
    return Promise.resolve();
  }

  /** Balanced subscriptions belong to brokers whose own balancer is off; ours is on. */
  override subscribeBalancedRequest(): Promise<void> {
    return Promise.reject(new Error('no built-in balancer'));
  }

  override subscribeBalancedEvent(): Promise<void> {
    return Promise.reject(new Error('no built-in balancer'));
  }

  override send(subject: string, data: Buffer, meta?: SendMeta): Promise<void> {
    if (data.length > this.maxBytes) return Promise.reject(new Failure('PAYLOAD_TOO_LARGE'));
    const target = meta?.packet?.type === 'REQ' ? meta.packet.target : undefined;
    this.queue.push({ subject, data, reply: target ? this.noResponderSubject(target) : undefined });
    if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => this.flushTurn());
    }
    return Promise.resolve();
  }

  override serialize(packet: Packet): Buffer {
    const payload = packet.payload as ResponsePayload;
    if (packet.type !== responseType || payload.stream) return super.serialize(packet);
    const head = { ver: this.broker.PROTOCOL_VERSION, sender: this.nodeID };
    const bytes = encodeResponse({ ...payload, ...head });
    if (bytes.length <= this.maxBytes) return bytes;
    const error = this.broker.errorRegenerator?.extractPlainError(tooLarge(), payload);
    return encodeResponse({ id: payload.id, success: false, error, ...head });
  }

  /** What NATS carries in one message; nats.js throws for more. */
  private get maxBytes(): number {
    return this.nats.info?.max_payload ?? defaultMaxBytes;
  }

  override deserialize(type: string, bytes: Buffer): Packet {
    if (type !== responseType) return super.deserialize(type, bytes);
    return { type, target: null, payload: decodeResponse(bytes, this.wantsText) } as unknown as Packet;
  }

  private readonly wantsText = (id: string): boolean =>
    (this.transit.pendingRequests.get(id)?.ctx.options as TextOption | undefined)?.jsonText === true;

  private flushTurn(): void {
    this.scheduled = false;
    const batch = this.queue;
    this.queue = [];
    if (this.nats.isClosed()) return;
    for (const { subject, data, reply } of batch) this.nats.publish(subject, data, reply ? { reply } : undefined);
  }

  private aliveSubject(nodeID: string): string {
    return `${this.prefix}.ALIVE.${nodeID}`;
  }

  private noResponderSubject(target: string): string {
    return `${this.prefix}.GONE.${this.nodeID}.${target}`;
  }

  private nobodyThere(message: Msg): void {
    if (message.headers?.code !== 503) return;
    const nodeID = message.subject.slice(message.subject.lastIndexOf('.') + 1);
    this.broker.registry.nodes.disconnected(nodeID, true);
  }

  /** Asks after the processes that owe an answer: one that died after it took a request is found within a probe. */
  private probePending(): void {
    if (!this.connected) return;
    const owing = new Set<string>();
    for (const { nodeID } of this.transit.pendingRequests.values()) if (nodeID) owing.add(nodeID);
    for (const nodeID of owing) {
      this.nats.publish(this.aliveSubject(nodeID), nothing, { reply: this.noResponderSubject(nodeID) });
    }
  }

  private async watchConnection(): Promise<void> {
    for await (const { type } of this.nats.status()) {
      if (type === Events.Disconnect) this.lost();
      if (type === Events.Reconnect) this.back();
    }
  }

  private lost(): void {
    this.connected = false;
    clearTimeout(this.grace);
    this.grace = setTimeout(() => this.rejectPending(), disconnectGraceMs);
  }

  private back(): void {
    clearTimeout(this.grace);
    void this.onConnected(true);
  }

  /** Without NATS no answer can come: fail in time for a client to hear 503 rather than a timeout. */
  private rejectPending(): void {
    const nodes = new Set<string>();
    for (const { nodeID } of this.transit.pendingRequests.values()) nodes.add(nodeID);
    for (const nodeID of nodes) this.transit.removePendingRequestByNodeID(nodeID);
  }
}
