import { Adapter, type BroadcastOptions, type ClusterMessage, MessageType, type Room } from 'socket.io-adapter';

const plainOptions = ({ rooms, except, flags }: BroadcastOptions) => ({
  rooms: [...rooms],
  except: [...(except ?? [])],
  flags: flags ?? {},
});

const optionsOf = ({ rooms, except, flags }: ReturnType<typeof plainOptions>): BroadcastOptions => ({
  rooms: new Set(rooms),
  except: new Set(except),
  flags,
});

type Counted = (clientCount: number) => void;
type Ack = (...args: unknown[]) => void;

type DistributiveOmit<T, K extends keyof T> = T extends unknown ? Omit<T, K> : never;

export interface EchoesHost {
  adapter: Adapter;
  newId(): string;
  publish(message: DistributiveOmit<ClusterMessage, 'nsp' | 'uid'>): void;
}

/**
 * What this server asks of all servers, itself among them. Its own part is done when the question comes out of the log,
 * in one order with everything else.
 */
export class Echoes {
  readonly #host: EchoesHost;
  readonly #acks = new Map<string, () => void>();

  constructor(host: EchoesHost) {
    this.#host = host;
  }

  broadcastWithAck(packet: unknown, opts: BroadcastOptions, counted: Counted, ack: Ack): void {
    const { adapter, newId, publish } = this.#host;
    const requestId = newId();
    const requests = (adapter as unknown as { ackRequests: Map<string, unknown> }).ackRequests;
    requests.set(requestId, { clientCountCallback: counted, ack });
    this.#acks.set(requestId, () => Adapter.prototype.broadcastWithAck.call(adapter, packet, opts, counted, ack));
    setTimeout(() => {
      requests.delete(requestId);
      this.#acks.delete(requestId);
    }, opts.flags?.timeout).unref();
    publish({ type: MessageType.BROADCAST, data: { packet, requestId, opts: plainOptions(opts) } });
  }

  addSockets(opts: BroadcastOptions, rooms: Room[]): void {
    this.#host.publish({ type: MessageType.SOCKETS_JOIN, data: { opts: plainOptions(opts), rooms } });
  }

  delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    this.#host.publish({ type: MessageType.SOCKETS_LEAVE, data: { opts: plainOptions(opts), rooms } });
  }

  disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    this.#host.publish({ type: MessageType.DISCONNECT_SOCKETS, data: { opts: plainOptions(opts), close } });
  }

  /** Its own question came out of the log. */
  came(message: ClusterMessage): void {
    const { adapter } = this.#host;
    if (message.type === MessageType.BROADCAST) {
      const { requestId = '' } = message.data;
      this.#acks.get(requestId)?.();
      this.#acks.delete(requestId);
    } else if (message.type === MessageType.SOCKETS_JOIN) {
      Adapter.prototype.addSockets.call(adapter, optionsOf(message.data.opts), message.data.rooms);
    } else if (message.type === MessageType.SOCKETS_LEAVE) {
      Adapter.prototype.delSockets.call(adapter, optionsOf(message.data.opts), message.data.rooms);
    } else if (message.type === MessageType.DISCONNECT_SOCKETS) {
      Adapter.prototype.disconnectSockets.call(adapter, optionsOf(message.data.opts), message.data.close ?? false);
    }
  }
}
