import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import type { EventEnvelope } from '../../shared/fanout/bus.ts';
import { Line } from '../../shared/mailbox/line.ts';
import { Slots } from '../../shared/mailbox/slots.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { requestTopic } from '../core/mqtt-acl.rules.ts';
import {
  type BrokerClient,
  type Incoming,
  maxWaiting,
  maxWaitingBytes,
  type Outgoing,
  type QoS,
  type RequestHandler,
} from './broker.ts';
import { Running } from './running.ts';

export interface ExternalBrokerOptions {
  /** mqtt://, mqtts://, ws:// or wss:// */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly baseTopic: string;
  readonly log: Log;
  /** Requests of each quality of service that run at a time; default 64. */
  readonly concurrency?: number;
  /** Requests of QoS 0 that wait for one of those that run; default 1,000. */
  readonly waiting?: number;
  /** Milliseconds between attempts to connect; default 1,000. */
  readonly reconnectMs?: number;
}

type Acknowledged = (error?: Error | null) => void;

const firstConnectionMs = 5_000;
const subscribeAgainMs = 2_000;
const closeMs = 2_000;
/** Larger than a request may be, so that one that is too large is answered and not dropped by the broker. */
const maximumPacketSize = 4_194_304;
/** Tells mqtt.js to read on without acknowledging; the acknowledgement follows when the request is answered. */
const laterAcknowledged = new Error('acknowledged when it is answered');

/** A client of Mosquitto, EMQX or any broker that speaks MQTT 5 and knows shared subscriptions. */
export function externalBroker(options: ExternalBrokerOptions): BrokerClient {
  return new ExternalBroker(options);
}

class ExternalBroker implements BrokerClient {
  readonly #client: MqttClient;
  readonly #log: Log;
  readonly #shared: string;
  /** Requests of QoS 0, which nothing else bounds. */
  readonly #line: Line;
  /** What is answered that it finds no place. */
  readonly #refusals: Slots;
  readonly #running = new Running();
  /** Events the broker has not acknowledged; they end with the connection, as the bus gives them again. */
  readonly #events = new Set<Acknowledged>();
  readonly #signals = new EventEmitter<{ subscribed: []; lost: [] }>();
  #handler: RequestHandler | undefined;
  #subscribed = false;
  #draining = false;
  /** Counts connections: an acknowledgement belongs to the one its request came by. */
  #connection = 0;

  constructor(options: ExternalBrokerOptions) {
    const concurrency = options.concurrency ?? 64;
    this.#log = options.log;
    this.#shared = `$share/trigate/${requestTopic(options.baseTopic)}`;
    this.#line = new Line({ places: concurrency, waiting: options.waiting ?? maxWaiting, bytes: maxWaitingBytes });
    this.#refusals = new Slots(concurrency);
    this.#client = connect(options.url, clientOptions(options, concurrency));
    this.#client.handleMessage = (packet, done) => this.#receive(packet, done as (error?: Error) => void);
    this.#client.on('connect', () => {
      // Each packet is an answer or an event of its own: waiting to join them costs up to 40 ms.
      (this.#client.stream as Partial<Socket>).setNoDelay?.(true);
      void this.#subscribe();
    });
    this.#client.on('close', () => this.#lost());
    this.#client.on('error', (error) => this.#log.warn({ err: error }, 'MQTT broker connection failed'));
  }

  async serve(handler: RequestHandler): Promise<void> {
    this.#handler = handler;
    this.#client.connect();
    const signal = AbortSignal.timeout(firstConnectionMs);
    await once(this.#signals, 'subscribed', { signal }).catch(() =>
      this.#log.warn({}, 'MQTT broker not reached yet, going on trying'),
    );
  }

  async reply(to: Incoming, { topic, payload, correlationData, contentType, expiry }: Outgoing): Promise<void> {
    await this.#client.publishAsync(topic, payload, {
      qos: to.qos,
      properties: {
        ...(contentType !== undefined && { contentType }),
        ...(correlationData && { correlationData }),
        ...(expiry !== undefined && { messageExpiryInterval: expiry }),
      },
    });
  }

  async publish(topics: readonly string[], payload: string, _envelope: EventEnvelope): Promise<void> {
    await Promise.all(topics.map((topic) => this.#publishEvent(topic, payload)));
  }

  async drain(withinMs: number): Promise<void> {
    this.#draining = true;
    if (this.#subscribed) {
      const unsubscribed = this.#client.unsubscribeAsync(this.#shared).catch(() => undefined);
      await Promise.race([unsubscribed, once(this.#signals, 'lost'), delay(closeMs, undefined, { ref: false })]);
    }
    await this.#running.idle(withinMs);
  }

  healthy(): boolean {
    return this.#subscribed && this.#client.connected;
  }

  async close(): Promise<void> {
    this.#draining = true;
    const gentle = setTimeout(() => this.#client.end(true), closeMs);
    await this.#client.endAsync(!this.#client.connected);
    clearTimeout(gentle);
  }

  async #subscribe(): Promise<void> {
    if (this.#draining) return;
    const connection = this.#connection;
    try {
      await this.#client.subscribeAsync(this.#shared, { qos: 1 });
      if (connection !== this.#connection) return;
      this.#subscribed = true;
      this.#signals.emit('subscribed');
      this.#log.info({ topic: this.#shared }, 'requests are taken from the MQTT broker');
    } catch (error) {
      this.#log.error({ err: error, topic: this.#shared }, 'the MQTT broker refuses our subscription');
      setTimeout(() => connection === this.#connection && void this.#subscribe(), subscribeAgainMs).unref();
    }
  }

  #lost(): void {
    this.#subscribed = false;
    this.#connection += 1;
    this.#signals.emit('lost');
    for (const [id, { cb }] of Object.entries(this.#client.outgoing)) {
      if (this.#events.has(cb as Acknowledged)) this.#client.removeOutgoingMessage(Number(id));
    }
  }

  #publishEvent(topic: string, payload: string): Promise<void> {
    if (!this.healthy()) return Promise.reject(new Error('not connected to the MQTT broker'));
    return new Promise((resolve, reject) => {
      const acknowledged: Acknowledged = (error) => {
        this.#events.delete(acknowledged);
        if (error) reject(error);
        else resolve();
      };
      this.#events.add(acknowledged);
      this.#client.publish(topic, payload, { qos: 1, properties: { contentType: 'application/json' } }, acknowledged);
    });
  }

  /**
   * Takes a request and lets mqtt.js read on at once: behind it are acknowledgements, and what others ask. The receive
   * maximum bounds requests of QoS 1, which the broker may hand to another gateway until they are acknowledged.
   */
  #receive(packet: IPublishPacket, readOn: (error?: Error) => void): void {
    const incoming = toIncoming(packet);
    if (incoming.qos === 0) {
      readOn();
      this.#queue(incoming);
      return;
    }
    readOn(laterAcknowledged);
    const connection = this.#connection;
    this.#run(this.#handle(incoming), () => connection === this.#connection && this.#acknowledge(packet));
  }

  /** Runs a request of QoS 0 in its turn; where too many wait it is refused, or dropped. */
  #queue(incoming: Incoming): void {
    const begun = this.#line.run(incoming.payload.length, () => this.#handle(incoming));
    if (begun) this.#running.add(begun);
    else if (this.#refusals.tryTake()) {
      this.#run(this.#handle({ ...incoming, overloaded: true }), () => this.#refusals.give());
    }
  }

  #handle(incoming: Incoming): Promise<void> {
    return this.#handler?.(incoming) ?? Promise.resolve();
  }

  #run(work: Promise<void>, done: () => void): void {
    this.#running.add(work.finally(done));
  }

  /** mqtt.js has no public way to acknowledge later than its reader goes on. */
  #acknowledge({ messageId }: IPublishPacket): void {
    const client = this.#client as unknown as { _sendPacket(packet: object): void };
    if (this.#client.connected) client._sendPacket({ cmd: 'puback', messageId, reasonCode: 0 });
  }
}

function clientOptions(options: ExternalBrokerOptions, receiveMaximum: number): IClientOptions {
  return {
    protocolVersion: 5,
    clientId: `trigate-${randomUUID()}`,
    ...(options.username !== undefined && { username: options.username }),
    ...(options.password !== undefined && { password: options.password }),
    clean: true,
    manualConnect: true,
    keepalive: 15,
    connectTimeout: firstConnectionMs,
    reconnectPeriod: options.reconnectMs ?? 1_000,
    reconnectOnConnackError: true,
    // Requests are asked for again once per connection, and no answer is kept for one nobody waits for.
    resubscribe: false,
    queueQoSZero: false,
    properties: { sessionExpiryInterval: 0, receiveMaximum, maximumPacketSize },
  };
}

function toIncoming({ payload, qos, properties }: IPublishPacket): Incoming {
  const { responseTopic, correlationData, contentType, messageExpiryInterval } = properties ?? {};
  return {
    payload: Buffer.isBuffer(payload) ? payload : Buffer.from(payload),
    qos: qos as QoS,
    properties: {
      ...(responseTopic !== undefined && { responseTopic }),
      ...(correlationData !== undefined && { correlationData }),
      ...(contentType !== undefined && { contentType }),
      ...(messageExpiryInterval !== undefined && { expiresAt: Date.now() + messageExpiryInterval * 1_000 }),
    },
  };
}
