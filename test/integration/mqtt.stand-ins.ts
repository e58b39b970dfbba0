import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import type { Authenticator, Dispatcher, Request, RevokedHandler } from '../../gateways/core/dispatch.types.ts';
import { Failure } from '../../shared/contracts/index.ts';
import { anonymous, type Principal } from '../../shared/runtime/principal.ts';

/** Stand-ins for what the MQTT gateway is given: the specs beside this file are about MQTT, not about commands. */

export const principal = (id: string, ...roles: ('admin' | 'user')[]): Principal => ({
  kind: 'user',
  id,
  username: id,
  email: null,
  roles: roles.length > 0 ? roles : ['user'],
});

export interface Handled {
  request: Request;
  principal: Principal;
}

/** A stand-in dispatcher: `echo`, `nothing`, `fail`, and `wait`, which ends when `release` is called. */
export class StandInDispatcher implements Dispatcher {
  readonly handled: Handled[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #starts: (() => void)[] = [];
  #open = false;

  async dispatch(request: Request, caller: Principal): Promise<unknown> {
    this.handled.push({ request, principal: caller });
    for (const start of this.#starts.splice(0)) start();
    if (request.command === 'nothing') return undefined;
    if (request.command === 'fail') throw new Failure('NOT_FOUND', 'No such thing');
    if (request.command === 'wait' && !this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return { by: caller.id, entity: request.entity ?? null, payload: request.payload ?? null };
  }

  count(command: string): number {
    return this.handled.filter(({ request }) => request.command === command).length;
  }

  /** Resolves when the given number of requests have come. */
  async reached(count: number): Promise<void> {
    while (this.handled.length < count) await new Promise<void>((resolve) => this.#starts.push(resolve));
  }

  /** From now on nothing waits. */
  release(): void {
    this.#open = true;
    for (const go of this.#waiting.splice(0)) go();
  }
}

/** A stand-in authenticator: the bearer `token-<id>` is good, `admin-<id>` an administrator's. */
export class StandInAuthenticator implements Authenticator {
  readonly #handlers: RevokedHandler[] = [];
  readonly #changed: ((userId: string) => void)[] = [];
  readonly #admins = new Set<string>();
  readonly #expires = new Map<string, number>();

  /** The next questions about a bearer are not answered. */
  unanswered = 0;

  async bearer(token: string): Promise<Principal> {
    if (this.unanswered > 0) {
      this.unanswered -= 1;
      throw new Failure('UNAVAILABLE');
    }
    const [, kind, id] = /^(token|admin)-(\w+)$/.exec(token) ?? [];
    if (id === undefined) throw new Failure('UNAUTHORIZED');
    const expires = this.#expires.get(token);
    const found = principal(id, ...(kind === 'admin' || this.#admins.has(id) ? (['admin', 'user'] as const) : []));
    return expires === undefined ? found : { ...found, expires };
  }

  async current(user: Principal): Promise<Principal> {
    return user;
  }

  async apiKey(): Promise<never> {
    throw new Failure('INVALID_API_KEY');
  }

  nobody(): Principal {
    return anonymous;
  }

  onRevoked(handler: RevokedHandler): void {
    this.#handlers.push(handler);
  }

  onChanged(handler: (userId: string) => void): void {
    this.#changed.push(handler);
  }

  holds(): void {}

  tokenVersion(): undefined {}

  async tokenVersions(): Promise<ReadonlyMap<string, number>> {
    return new Map();
  }

  wasRevoked(): boolean {
    return false;
  }

  revoke(userId: string): void {
    for (const handler of this.#handlers) handler(userId, () => true);
  }

  promote(userId: string): void {
    this.#admins.add(userId);
    for (const handler of this.#changed) handler(userId);
  }

  /** `at`: Unix seconds. */
  expire(token: string, at: number): void {
    this.#expires.set(token, at);
  }
}

export interface Message {
  topic: string;
  text: string;
  packet: IPublishPacket;
}

/** A real mqtt.js client that keeps what it hears. */
export class TestClient {
  readonly heard: Message[] = [];
  readonly mqtt: MqttClient;
  readonly #waiting = new Set<() => void>();

  private constructor(mqtt: MqttClient) {
    this.mqtt = mqtt;
    mqtt.on('error', () => {});
    mqtt.on('message', (topic, payload, packet) => {
      this.heard.push({ topic, text: payload.toString(), packet });
      for (const look of [...this.#waiting]) look();
    });
  }

  /** Connects once, rejects where CONNECT is refused, and comes back later only where the options say so. */
  static async connect(url: string, options: IClientOptions = {}): Promise<TestClient> {
    const mqtt = connect(url, { reconnectPeriod: 0, connectTimeout: 5_000, ...options });
    // Listens before it is connected: what the broker queued comes right behind CONNACK.
    const client = new TestClient(mqtt);
    await new Promise<void>((resolve, reject) => {
      mqtt.once('connect', () => resolve());
      mqtt.once('error', reject);
      mqtt.once('close', () => reject(new Error('closed before it was connected')));
    });
    return client;
  }

  /** Takes the first message on a topic out of what was heard, waiting for it. */
  async next(topic?: string, withinMs = 5_000): Promise<Message> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle();
      };
      const look = () => {
        const index = this.heard.findIndex((message) => topic === undefined || message.topic === topic);
        const [message] = index < 0 ? [] : this.heard.splice(index, 1);
        if (message) done(() => resolve(message));
      };
      const timer = setTimeout(() => done(() => reject(new Error(`nothing heard on ${topic}`))), withinMs);
      this.#waiting.add(look);
      look();
    });
  }

  /** Subscribes to the answer, asks, and gives back the answer's text. */
  async ask(request: Record<string, unknown>, qos: 0 | 1 | 2 = 1, base = 'nestmtx'): Promise<string> {
    const topic = `${base}/responses/${request.requestId}`;
    await this.mqtt.subscribeAsync(topic, { qos });
    await this.mqtt.publishAsync(`${base}/requests`, JSON.stringify(request), { qos });
    return (await this.next(topic)).text;
  }

  async end(): Promise<void> {
    await this.mqtt.endAsync(true);
  }
}
