import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { TrigateError, toldError } from './error.ts';
import { delayBefore, mayRetry, type ReconnectOptions } from './reconnect.rules.ts';
import { type ConnectionStatus, isConnected, type StatusHandler } from './status.ts';
import { resolveToken, type Token } from './token.ts';

export interface SocketDriverOptions {
  /** Of Trigate, or of its Socket.IO gateway where that has an address of its own. */
  url: string;
  token?: Token | undefined;
  reconnect?: ReconnectOptions | undefined;
  /** Milliseconds one attempt may take, asking for the token apart; default 10,000. */
  connectTimeoutMs?: number | undefined;
  /** For socket.io-client; how to reconnect is decided here. */
  socket?: Partial<ManagerOptions & SocketOptions> | undefined;
}

const defaultTimeoutMs = 10_000;

/**
 * A Socket.IO connection that is kept up: attempts are bounded in time and rate, the token is asked for before each,
 * and a connection that the server ended (it drains, the token expired) is made again as one that broke.
 */
export class SocketDriver {
  /** For `emit` and `on` as such; `on` may be used before there is a connection. */
  readonly socket: Socket;
  private readonly options: SocketDriverOptions;
  private readonly timeoutMs: number;
  private readonly handlers = new Set<StatusHandler>();
  private current: ConnectionStatus = { state: 'closed', attempt: 0 };
  private attempt = 0;
  private refusals = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Of the attempt that is on; what an older one still has to say is not heard. */
  private run = 0;

  constructor(options: SocketDriverOptions) {
    this.options = options;
    this.timeoutMs = options.connectTimeoutMs ?? defaultTimeoutMs;
    this.socket = io(options.url, {
      // Requests of one long-polling session must all reach one gateway, which a load balancer does not know.
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      timeout: this.timeoutMs,
      ...options.socket,
      forceNew: true,
      autoConnect: false,
      reconnection: false,
    });
    this.socket.on('connect', () => this.connected());
    this.socket.on('connect_error', (error: Error & { data?: unknown }) => this.failed(refusal(error)));
    this.socket.on('disconnect', (reason) => {
      if (reason === 'io client disconnect') this.close();
      else this.failed(new TrigateError('DISCONNECTED', `The connection ended: ${reason}`));
    });
  }

  get status(): ConnectionStatus {
    return this.current;
  }

  /** Hears every change of the status. Returns what ends that. */
  onStatus(handler: StatusHandler): () => void {
    this.handlers.add(handler);
    return () => void this.handlers.delete(handler);
  }

  /** Begins to connect; does nothing where it has begun. After `close` it begins anew. */
  connect(): this {
    if (this.current.state !== 'closed') return this;
    this.attempt = 0;
    this.refusals = 0;
    this.begin();
    this.tell({ state: 'connecting', attempt: 1 });
    return this;
  }

  /** Ends the connection for good; `connect` may begin anew. */
  close(): void {
    this.end(new TrigateError('CLOSED', 'The client was closed'));
  }

  private begin(): void {
    this.run += 1;
    this.attempt += 1;
    void this.open(this.run);
  }

  private async open(run: number): Promise<void> {
    try {
      const token = await resolveToken(this.options.token, this.refusals > 0, this.timeoutMs);
      if (run !== this.run) return;
      this.socket.auth = token === undefined ? {} : { token };
      // The engine's own limit ends when it is open; a server that then says nothing would be waited for without end.
      this.timer = setTimeout(() => {
        this.failed(new TrigateError('TIMEOUT', `No connection within ${this.timeoutMs} ms`));
      }, this.timeoutMs);
      this.socket.connect();
    } catch (error) {
      if (run === this.run) this.failed(error as TrigateError);
    }
  }

  private connected(): void {
    clearTimeout(this.timer);
    this.attempt = 0;
    this.refusals = 0;
    this.tell({ state: this.socket.recovered ? 'recovered' : 'connected', attempt: 0 });
  }

  private failed(error: TrigateError): void {
    if (this.current.state === 'closed') return;
    this.refusals = error.code === 'UNAUTHORIZED' ? this.refusals + 1 : 0;
    const attempt = this.attempt + 1;
    const renewable = typeof this.options.token === 'function';
    const { reconnect = {} } = this.options;
    if (!mayRetry(error, { attempt, refusals: this.refusals, renewable }, reconnect)) {
      this.end(error);
      return;
    }
    this.abandon();
    const delayMs = Math.round(delayBefore(attempt, error, reconnect, Math.random()));
    this.timer = setTimeout(() => this.begin(), delayMs);
    this.tell({ state: 'reconnecting', attempt, error, delayMs });
  }

  private end(error: TrigateError): void {
    if (this.current.state === 'closed') return;
    const { attempt } = this;
    // First, so that the `disconnect` that follows finds it ended.
    this.current = { state: 'closed', attempt, error };
    this.abandon();
    this.tell(this.current);
  }

  /** Ends the attempt that is on, and the connection. */
  private abandon(): void {
    clearTimeout(this.timer);
    this.run += 1;
    this.socket.disconnect();
  }

  private tell(status: ConnectionStatus): void {
    this.current = status;
    for (const handler of [...this.handlers]) handler(status);
  }
}

/** Resolves when there is a connection. @throws TrigateError why there is none, when it is given up or the time is over. @internal */
export function whenConnected(driver: SocketDriver, withinMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let last = driver.status;
    const settle = (status: ConnectionStatus) => {
      last = status;
      if (isConnected(status)) done(resolve);
      else if (status.state === 'closed')
        done(() => reject(status.error ?? new TrigateError('CLOSED', 'Not connected')));
    };
    const timer = setTimeout(() => {
      const cause = last.error;
      done(() => reject(new TrigateError('UNAVAILABLE', `No connection within ${Math.round(withinMs)} ms`, { cause })));
    }, withinMs);
    const off = driver.onStatus(settle);
    const done = (how: () => void) => {
      clearTimeout(timer);
      off();
      how();
    };
    settle(last);
  });
}

/** A refusal carries {code, message}; a network that fails does not. */
function refusal(error: Error & { data?: unknown }): TrigateError {
  if (error.data !== undefined) return toldError(error.data, 'UNAUTHORIZED', { cause: error });
  return new TrigateError('UNAVAILABLE', `The connection could not be made: ${error.message}`, { cause: error });
}
