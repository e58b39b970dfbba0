import { Readable } from 'node:stream';
import type { Client } from 'aedes';
import type { Connection, Session, Stored } from './session.ts';
import type { Sessions } from './sessions.ts';

interface Subscriber {
  readonly id: string;
}

export interface SessionAccess {
  readonly sessions: Sessions;
  connectionOf(client: Client): Connection | undefined;
}

/**
 * What Aedes asks of a persistence, over our sessions. It does no routing: `EmbeddedBroker` gives each message to the
 * sessions that may have it, so no message waits in the queue of a client that merely subscribed to its topic.
 */
export class SessionPersistence {
  readonly #access: SessionAccess;

  constructor(access: SessionAccess) {
    this.#access = access;
  }

  // Aedes insists on an async function.
  async setup(): Promise<void> {}

  // Nothing is retained and no will outlives its broker.
  async storeRetained(): Promise<void> {}
  createRetainedStreamCombi(): Readable {
    return Readable.from([]);
  }
  async putWill(): Promise<void> {}
  async delWill(): Promise<void> {}
  streamWill(): Readable {
    return Readable.from([]);
  }

  // Subscriptions are kept where they are granted and taken back (`hooks.ts`), not here: Aedes also passes refused ones.
  async addSubscriptions(): Promise<void> {}
  async removeSubscriptions(): Promise<void> {}
  async cleanSubscriptions(): Promise<void> {}
  async subscriptionsByTopic(): Promise<[]> {
    return [];
  }
  async subscriptionsByClient({ id }: Subscriber): Promise<{ topic: string; qos: number }[]> {
    const filters = this.#access.sessions.get(id)?.filters ?? [];
    return [...filters].map(([topic, qos]) => ({ topic, qos }));
  }

  async outgoingEnqueueCombi(): Promise<void> {}
  /** @throws Error where the client has left too much unacknowledged */
  async outgoingEnqueue({ clientId }: { clientId: string }, packet: Stored): Promise<void> {
    if (!this.#access.sessions.get(clientId)?.enqueue({ ...packet })) throw new Error('too many messages wait');
  }

  /** The message got its id, or its QoS 2 handshake went on to the release. */
  async outgoingUpdate(client: Client, packet: Stored): Promise<void> {
    const session = this.#sessionOf(client);
    const queued = session?.queue.find((message) => isSame(message, packet));
    if (!session || !queued) throw new Error('no such message');
    if (packet.cmd === 'pubrel') session.replace(queued, { ...released, messageId: packet.messageId });
    else queued.messageId = packet.messageId;
  }

  /** Acknowledged, or refused at the last moment. Aedes may not get the packet back: it stalls on those it refused. */
  async outgoingClearMessageId(client: Client, packet: Stored): Promise<void> {
    this.#sessionOf(client)?.remove((message) => isSame(message, packet));
  }

  outgoingStream(client: Client): Readable {
    return Readable.from([...(this.#sessionOf(client)?.queue ?? [])]);
  }

  // Of a QoS 2 message only its id is kept: the message itself was published when it came.
  async incomingStorePacket(client: Client, { messageId }: { messageId: number }): Promise<void> {
    this.#sessionOf(client)?.incoming.add(messageId);
  }
  async incomingGetPacket(client: Client, { messageId }: { messageId: number }): Promise<true> {
    if (!this.#sessionOf(client)?.incoming.has(messageId)) throw new Error('no such message');
    return true;
  }
  async incomingDelPacket(client: Client, { messageId }: { messageId: number }): Promise<void> {
    this.#sessionOf(client)?.incoming.delete(messageId);
  }
  async cleanIncoming(client: Client): Promise<void> {
    this.#sessionOf(client)?.incoming.clear();
  }

  #sessionOf(client: Client): Session | undefined {
    return this.#access.connectionOf(client)?.session;
  }
}

const released: Stored = {
  cmd: 'pubrel',
  topic: '',
  payload: Buffer.alloc(0),
  qos: 1,
  retain: false,
  dup: false,
};

/** By its message id where both have one, else by the number Aedes gave it. */
function isSame(queued: Stored, packet: Stored): boolean {
  if (packet.cmd === 'publish' && packet.brokerCounter !== undefined && queued.brokerCounter !== undefined) {
    return queued.brokerCounter === packet.brokerCounter;
  }
  return packet.messageId !== undefined && queued.messageId === packet.messageId;
}
