import { Aedes, type AedesOptions, type Client, type PublishPacket } from 'aedes';
import type { EventEnvelope } from '../../shared/fanout/bus.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { clientAddress } from '../core/address.ts';
import type { Authenticator } from '../core/dispatch.types.ts';
import { keepTrying } from '../core/keep.trying.ts';
import type { Limit } from '../core/limits.ts';
import { type AnonymousMode, type MqttRules, mayHear, requestTopic } from '../core/mqtt-acl.rules.ts';
import type { BrokerClient, Incoming, Outgoing, QoS, RequestHandler } from './broker.ts';
import { Addressed } from './embedded/addressed.ts';
import { Delivery } from './embedded/delivery.ts';
import { type HookDeps, hooks } from './embedded/hooks.ts';
import { type Listeners, listen } from './embedded/listeners.ts';
import type { Login } from './embedded/login.ts';
import { SessionPersistence } from './embedded/persistence.ts';
import { type Connection, defaultBounds, type SessionBounds } from './embedded/session.ts';
import { Sessions } from './embedded/sessions.ts';
import { Running } from './running.ts';

export interface EmbeddedBrokerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly wsPort?: number;
  readonly baseTopic: string;
  readonly anonymous: AnonymousMode;
  readonly origins: readonly string[];
  /** Proxies before the WebSocket port whose X-Forwarded-For counts. */
  readonly trustProxy: number;
  readonly authenticator: Authenticator;
  readonly log: Log;
  /** Connections per address. */
  readonly limit?: Limit;
  readonly maxConnections?: number;
  readonly bounds?: Partial<SessionBounds>;
  /** Told of each client that logged in, and of its end. */
  readonly presence?: {
    joined(clientId: string, principal: Principal): void;
    left(clientId: string): void;
  };
}

export interface EmbeddedBroker extends BrokerClient {
  /** Known once `serve` has resolved. */
  readonly port: number;
  readonly wsPort: number | undefined;
}

const sweepMs = 1_000;
/** A client whose buffer does not drain for so long is cut. */
const unreadMs = 25_000;
const connectMs = 10_000;
const defaultMaxConnections = 2_000;

/** An MQTT 3.1.1 broker in this process, in memory, whose clients can only ask and hear. */
export async function embeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const broker = new Embedded(options);
  await broker.open();
  return broker;
}

class Embedded implements EmbeddedBroker {
  readonly #options: EmbeddedBrokerOptions;
  readonly #rules: MqttRules;
  readonly #sessions: Sessions;
  readonly #connections = new WeakMap<Client, Connection>();
  readonly #live = new Set<Connection>();
  /** One for each login whose bearer is being checked. */
  readonly #revokedMeanwhile = new Set<Set<(principal: Principal) => boolean>>();
  readonly #running = new Running();
  readonly #aedes: Aedes;
  readonly #delivery: Delivery;
  readonly #timer: NodeJS.Timeout;
  #handler: RequestHandler | undefined;
  #listeners: Listeners | undefined;
  #draining = false;

  constructor(options: EmbeddedBrokerOptions) {
    this.#options = options;
    this.#rules = { base: options.baseTopic, anonymous: options.anonymous, forwardChecked: true };
    this.#sessions = new Sessions({ ...defaultBounds, ...options.bounds });
    this.#aedes = new Aedes(this.#aedesOptions());
    this.#delivery = new Delivery(this.#aedes, options.log);
    this.#aedes.on('clientReady', (client) => {
      const session = this.#connections.get(client)?.session;
      if (session) this.#delivery.ready(session, client);
    });
    this.#aedes.on('unsubscribe', (filters, client) => {
      if (!client.closed) for (const filter of filters) this.#connections.get(client)?.session.filters.delete(filter);
    });
    this.#aedes.on('clientError', (client, error) => {
      options.log.debug({ clientId: client.id, reason: error.message }, 'MQTT client failed');
    });
    options.authenticator.onRevoked((userId, which) => {
      const isRevoked = (principal: Principal) => principal.id === userId && which(principal);
      for (const revoked of this.#revokedMeanwhile) revoked.add(isRevoked);
      this.#endAll(({ principal }) => isRevoked(principal));
    });
    options.authenticator.onChanged((userId) => this.#refresh(userId));
    options.authenticator.holds(() => [...this.#live].map(({ principal }) => principal));
    this.#timer = setInterval(() => this.#sweep(Date.now()), sweepMs).unref();
  }

  async open(): Promise<void> {
    await this.#aedes.listen();
  }

  get port(): number {
    return this.#listeners?.port ?? 0;
  }

  get wsPort(): number | undefined {
    return this.#listeners?.wsPort;
  }

  async serve(handler: RequestHandler): Promise<void> {
    const { host, port, wsPort, origins, log, maxConnections = defaultMaxConnections } = this.#options;
    this.#handler = handler;
    this.#listeners = await listen(
      { host, port, ...(wsPort !== undefined && { wsPort }), origins, maxConnections, log },
      (stream, request) => this.#aedes.handle(stream, request),
    );
  }

  async reply({ asker, qos }: Incoming, { topic, payload }: Outgoing): Promise<void> {
    const session = (asker as Connection | undefined)?.session;
    if (!session || this.#sessions.get(session.clientId) !== session) return;
    const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
    this.#delivery.to(session, topic, bytes, qos, new Addressed((to) => to.session === session));
  }

  async publish(topics: readonly string[], payload: string, envelope: EventEnvelope): Promise<void> {
    const bytes = Buffer.from(payload);
    const { anonymous } = this.#options;
    const addressed = new Addressed(({ principal }) => mayHear(principal, envelope, anonymous));
    for (const session of this.#sessions.all()) {
      if (!mayHear(session.principal, envelope, anonymous)) continue;
      for (const topic of topics) this.#delivery.to(session, topic, bytes, 1, addressed);
    }
  }

  async drain(withinMs: number): Promise<void> {
    this.#draining = true;
    this.#listeners?.shut();
    // What is not read now is sent again by clients that come back.
    for (const { client } of this.#live) (client as unknown as { pause(): void }).pause();
    await this.#running.idle(withinMs);
  }

  healthy(): boolean {
    return !this.#draining && this.#listeners?.listening() === true;
  }

  async close(): Promise<void> {
    this.#draining = true;
    clearInterval(this.#timer);
    for (const connection of this.#live) connection.ended = true;
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    await this.#listeners?.close();
  }

  #aedesOptions(): AedesOptions {
    const { authenticator, log, limit, trustProxy } = this.#options;
    return {
      connectTimeout: connectMs,
      drainTimeout: unreadMs,
      maxInflightInbound: 100,
      persistence: new SessionPersistence({
        sessions: this.#sessions,
        connectionOf: (client) => this.#connections.get(client),
      }),
      ...hooks({
        authenticator,
        rules: this.#rules,
        sessions: this.#sessions,
        connections: this.#connections,
        log,
        ...(limit && { limit }),
        addressOf: (client) => addressOf(client, trustProxy),
        draining: () => this.#draining,
        connected: (connection) => this.#connected(connection),
        watchRevoked: () => this.#watchRevoked(),
      }),
      published: (packet, client, done) => {
        const connection = client && this.#connections.get(client);
        if (connection && packet.topic === requestTopic(this.#rules.base)) this.#receive(connection, packet, done);
        else done();
      },
    };
  }

  #connected(connection: Connection): void {
    const { client, principal } = connection;
    const { presence } = this.#options;
    this.#live.add(connection);
    if (principal.kind !== 'anonymous') presence?.joined(client.id, principal);
    client.conn.once('close', () => {
      this.#live.delete(connection);
      this.#sessions.release(connection, Date.now());
      const isReplaced = (this.#sessions.get(client.id)?.connections.size ?? 0) > 0;
      if (principal.kind !== 'anonymous' && !isReplaced) presence?.left(client.id);
    });
  }

  /** A client with its fill of requests is not read until one is answered. */
  #receive(asker: Connection, packet: PublishPacket, done: () => void): void {
    void asker.slots.take().then(() => {
      done();
      const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
      const incoming: Incoming = { payload, qos: packet.qos as QoS, properties: {}, asker };
      this.#running.add((this.#handler?.(incoming) ?? Promise.resolve()).finally(() => asker.slots.give()));
    });
  }

  /** From now on its sessions hear, and its requests may, what the user may now; those that are kept for it too. */
  #refresh(userId: string): void {
    const { authenticator, log } = this.#options;
    const refresh = (login: Login) => login.refresh((token) => authenticator.bearer(token));
    for (const { principal, logins } of this.#sessions.all()) {
      if (principal.id === userId) for (const login of logins) void keepTrying(() => refresh(login), userId, log);
    }
  }

  #watchRevoked(): ReturnType<HookDeps['watchRevoked']> {
    const revoked = new Set<(principal: Principal) => boolean>();
    this.#revokedMeanwhile.add(revoked);
    return {
      has: (principal) => [...revoked].some((isRevoked) => isRevoked(principal)),
      stop: () => this.#revokedMeanwhile.delete(revoked),
    };
  }

  #sweep(now: number): void {
    this.#sessions.sweep(now);
    this.#endAll(({ principal: { expires } }) => expires !== undefined && expires * 1_000 <= now);
  }

  #endAll(which: (connection: Connection) => boolean): void {
    for (const connection of this.#live) {
      if (connection.ended || !which(connection)) continue;
      connection.ended = true;
      this.#options.log.info({ clientId: connection.id }, 'MQTT client ended: its token is no longer good');
      connection.client.close();
    }
  }
}

function addressOf(client: Client, trustProxy: number): string {
  if (client.req) return clientAddress(client.req, trustProxy);
  const { remoteAddress } = client.conn as { remoteAddress?: string };
  return remoteAddress ?? '';
}
