import { setTimeout as pause } from 'node:timers/promises';
import moleculer, { type Context } from 'moleculer';
import { Events, type Msg, type NatsConnection } from 'nats';
import { Failure } from '../contracts/index.ts';
import { decodeResponse, encodeResponse, type ResponsePayload } from './nats.responses.ts';

interface Outgoing {
  subject: string;
  data: Uint8Array;
  reply: string | undefined;
}
interface SendMeta {
  packet?: { type: string; target?: string | null; payload: { id?: string } };
}

/** Of `broker.call`: where the answer comes from another process, it may be a JsonText. */
export interface TextOption {
  jsonText?: boolean;
}

type Packet = ReturnType<moleculer.Transporters.Base['deserialize']>;
type Pending = moleculer.Transit.TransitRequest;

const responseType = 'RES';
const probeEveryMs = 500;
const disconnectGraceMs = 1_000;
/** How often a request that reached nobody is sent to another process, and milliseconds NATS may take to say so. */
const maxRedeliveries = 3;
const bounceMs = 500;
const defaultMaxBytes = 1_048_576;
const nothing = new Uint8Array();
const tooLarge = () => new Failure('PAYLOAD_TOO_LARGE', 'The answer is larger than the NATS servers carry');

/**
 * Moleculer over a NATS connection that its owner shares with the bus. Three things the stock transporter does not do:
 *
 * - All packets of one event-loop turn leave in one socket write. nats.js flushes in a microtask, which under many
 *   client sockets is one write per request, the dearest part of a request.
 * - Requests carry a reply subject, so NATS itself says at once ("no responders", status 503) that a process is gone.
 *   Heartbeats alone would leave its requests hanging for seconds. The subject holds the id of the request, so this very
 *   one is known to have reached nobody and goes to another process, whatever its command.
 * - A result is written once, by its service: gateways ask for its JSON and pass that on.
 */
export class NatsTransporter extends moleculer.Transporters.Base {
  private readonly nats: NatsConnection;
  private queue: Outgoing[] = [];
  private scheduled = false;
  private probe: NodeJS.Timeout | undefined;
  private grace: NodeJS.Timeout | undefined;
  private readonly redeliveries = new WeakMap<Context, number>();
  private rejectPendingOf: (nodeID: string) => void = () => undefined;

  constructor(connection: NatsConnection) {
    super({});
    this.nats = connection;
    this.hasBuiltInBalancer = false;
  }

  override init(...args: Parameters<moleculer.Transporters.Base['init']>): void {
    super.init(...args);
    const { transit } = this;
    this.rejectPendingOf = transit.removePendingRequestByNodeID.bind(transit);
    transit.removePendingRequestByNodeID = (nodeID) => void this.rejectTaken(nodeID);
  }

  override async connect(): Promise<void> {
    this.watchConnection();
    this.nats.subscribe(this.aliveSubject(this.nodeID), { callback: () => undefined });
    this.nats.subscribe(this.noResponderSubject('>'), {
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
    const { type, target, payload } = meta?.packet ?? {};
    const reply = type === 'REQ' && target ? this.noResponderSubject(`${target}.${payload?.id}`) : undefined;
    this.queue.push({ subject, data, reply });
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

  /** `whom`: the node, and the id of the request where it is one. Neither has a dot. */
  private noResponderSubject(whom: string): string {
    return `${this.prefix}.GONE.${this.nodeID}.${whom}`;
  }

  private nobodyThere(message: Msg): void {
    if (message.headers?.code !== 503) return;
    const [nodeID = '', id = ''] = message.subject.slice(this.noResponderSubject('').length).split('.');
    const pending = this.transit.pendingRequests.get(id);
    this.transit.pendingRequests.delete(id);
    // Before anybody looks for another process: not this one again.
    this.broker.registry.nodes.disconnected(nodeID, true);
    if (pending) this.redeliver(pending);
  }

  /** Nobody has seen it. Its context is a new one, with an id of its own; who waits for the first one gets the answer. */
  private redeliver({ ctx, nodeID, stream, resolve, reject }: Pending): void {
    const action = ctx.action?.name ?? '';
    const times = this.redeliveries.get(ctx) ?? 0;
    const isForThisNode = (ctx.options as { nodeID?: string }).nodeID !== undefined;
    if (times === maxRedeliveries || stream || isForThisNode) {
      reject(new moleculer.Errors.RequestRejectedError({ action, nodeID }));
      return;
    }
    const again = ctx.copy();
    // Other failures are the first one's to try again.
    again.options = { ...ctx.options, retries: 0 };
    this.redeliveries.set(again, times + 1);
    this.broker.call(action, ctx.params, { ctx: again }).then(resolve, reject);
  }

  /** Of a process that is gone, once those that reached nobody are told apart. One that is back meanwhile answers itself. */
  private async rejectTaken(nodeID: string): Promise<void> {
    await this.bounced();
    if (!this.broker.registry.nodes.get(nodeID)?.available) this.rejectPendingOf(nodeID);
  }

  /** Resolves when NATS has told of each request that was sent until now and reached nobody; after 500 ms anyway. */
  private async bounced(): Promise<void> {
    this.flushTurn();
    const flushed = this.nats.flush().catch(() => undefined);
    await Promise.race([flushed, pause(bounceMs, undefined, { ref: false })]);
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
    for (const nodeID of nodes) this.rejectPendingOf(nodeID);
  }
}
