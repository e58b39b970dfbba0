import { Manager, type Socket } from 'socket.io-client';

/** What the client keeps of its session. It has no public way to bring it to another server. */
interface SessionOf {
  _pid?: string | undefined;
  _lastOffset?: string | undefined;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const sessionOf = (socket: Socket): SessionOf => socket as unknown as SessionOf;

/** One part of a client's life: from a connection that was not recovered to the next such. */
export interface Life {
  numbers: number[];
}

export interface WandererOptions {
  /** Sent along with every connection. */
  auth?: Record<string, unknown>;
  /** What it does in a connection that was not recovered, before it listens for numbers. */
  settle?: (socket: Socket) => Promise<unknown>;
}

/** A client that loses its connection and comes back with its session, to any server, and writes down what it hears. */
export class Wanderer {
  readonly lives: Life[] = [];
  recoveries = 0;
  /** How often it was told so by the server, and how often that it was not. */
  readonly told = { recovered: 0, failed: 0 };
  readonly #options: WandererOptions;
  #socket: Socket | undefined;
  #lost: (() => void) | undefined;
  /** The session as it was when the client vanished: what its old connection brings after that is lost. */
  #left: SessionOf | undefined;

  constructor(options: WandererOptions = {}) {
    this.#options = options;
  }

  get life(): Life | undefined {
    return this.lives.at(-1);
  }

  get sid(): string {
    return this.#socket?.id ?? '';
  }

  /** Connects, with the session of before where there is one. @throws Error where the server refuses or is not there */
  async connect(url: string, timeout = 10_000): Promise<void> {
    const before = this.#socket;
    const manager = new Manager(url, { transports: ['websocket'], reconnection: false, autoConnect: false, timeout });
    const { auth, settle } = this.#options;
    const socket = manager.socket('/', auth && { auth });
    const { _pid, _lastOffset } = this.#left ?? (before ? sessionOf(before) : {});
    Object.assign(socket, { _pid, _lastOffset });
    const connected = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no connection in time')), timeout);
      const end = (act: () => void) => () => {
        clearTimeout(timer);
        act();
      };
      socket.once('connect', end(resolve));
      socket.once(
        'connect_error',
        end(() => reject(new Error('refused'))),
      );
      socket.once(
        'disconnect',
        end(() => reject(new Error('disconnected'))),
      );
    });
    // Packets come right behind the CONNECT packet.
    let settled = settle === undefined;
    socket.on('connect', () => {
      settled ||= socket.recovered;
      if (socket.recovered) this.recoveries += 1;
      else this.lives.push({ numbers: [] });
      this.#socket = socket;
      this.#left = undefined;
    });
    socket.on('n', (n: number) => settled && this.life?.numbers.push(n));
    socket.on('system:state_recovered', () => {
      this.told.recovered += 1;
    });
    socket.on('system:state_recovery_failed', () => {
      this.told.failed += 1;
    });
    socket.connect();
    try {
      await connected;
      if (!settled) await settle?.(socket);
      settled = true;
    } catch (error) {
      socket.disconnect();
      throw error;
    }
    this.#socket = socket;
    socket.on('disconnect', (reason) => this.#wasLost(reason));
  }

  /** Its connection breaks off. */
  breakOff(): void {
    const { engine } = (this.#socket as Socket).io;
    (engine.transport as unknown as { ws: { terminate(): void } }).ws.terminate();
  }

  /** It goes where the old connection is not heard any more, and the server does not know yet. */
  vanish(): () => void {
    const old = this.#socket as Socket;
    const { _pid, _lastOffset } = sessionOf(old);
    this.#left = { _pid, _lastOffset };
    old.off();
    return () => old.io.engine.close();
  }

  /** Goes and comes at random, half of the times elsewhere, often before its server knows that it is gone. */
  async wander(urls: readonly string[], times: number, came: (ms: number) => void = () => {}): Promise<void> {
    let home = 0;
    for (let n = 0; n < times; n += 1) {
      await sleep(Math.random() * 40);
      if (Math.random() < 0.5) home = Math.floor(Math.random() * urls.length);
      const finish = Math.random() < 0.2 ? this.vanish() : this.breakOff();
      if (Math.random() < 0.5) await sleep(Math.random() * 60);
      const started = performance.now();
      await this.connect(urls[home] as string);
      came(performance.now() - started);
      finish?.();
    }
  }

  /** What it comes back with. */
  get session(): { pid: string | undefined; offset: string | undefined } {
    const { _pid: pid, _lastOffset: offset } = sessionOf(this.#socket as Socket);
    return { pid, offset };
  }

  /** What an event carries when it comes next on this connection. */
  next(event: string): Promise<unknown> {
    return new Promise((resolve) => (this.#socket as Socket).once(event, resolve));
  }

  get connected(): boolean {
    return this.#socket?.connected ?? false;
  }

  /** Calls back whenever it loses its connection from now on. */
  onLost(callback: () => void): void {
    this.#lost = callback;
  }

  ask(event: string, ...args: unknown[]): Promise<unknown> {
    return (this.#socket as Socket).emitWithAck(event, ...args);
  }

  close(): void {
    this.#lost = undefined;
    this.#socket?.disconnect();
  }

  #wasLost(reason: string): void {
    if (reason !== 'io client disconnect') this.#lost?.();
  }
}
