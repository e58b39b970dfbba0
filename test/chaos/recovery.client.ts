import { Manager, type Socket } from 'socket.io-client';

/** What the client keeps of its session. It has no public way to bring it to another server. */
interface SessionOf {
  _pid?: string | undefined;
  _lastOffset?: string | undefined;
}

const sessionOf = (socket: Socket): SessionOf => socket as unknown as SessionOf;

/** One part of a client's life: from a connection that was not recovered to the next such. */
export interface Life {
  numbers: number[];
}

/** A client that loses its connection and comes back with its session, to any server, and writes down what it hears. */
export class Wanderer {
  readonly lives: Life[] = [];
  recoveries = 0;
  #socket: Socket | undefined;
  #lost: (() => void) | undefined;
  /** The session as it was when the client vanished: what its old connection brings after that is lost. */
  #left: SessionOf | undefined;

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
    const socket = manager.socket('/');
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
    socket.on('connect', () => {
      if (socket.recovered) this.recoveries += 1;
      else this.lives.push({ numbers: [] });
      this.#socket = socket;
      this.#left = undefined;
    });
    socket.on('n', (n: number) => this.life?.numbers.push(n));
    socket.connect();
    try {
      await connected;
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
