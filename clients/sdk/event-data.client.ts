import type { Socket } from 'socket.io-client';
import type { TrigateError } from './error.ts';
import { SocketDriver } from './socket.driver.ts';
import { isConnected } from './status.ts';
import type { Token } from './token.ts';

export interface EventDataClientConfig {
  /** With its scheme: `http://localhost`. */
  host: string;
  /** Where it is not in `host`. */
  port?: number | string | undefined;
  authentication?: { authMode: 'Bearer'; auth: Token } | undefined;
}

/** The client of idae-socket: set `config`, `connect()`, then hear events on `socket`. */
export class EventDataClientInstance {
  config: EventDataClientConfig = { host: 'http://localhost' };
  /** Called after every connection, also one made again. */
  onConnect: (connection: { socketId: string }) => void = () => {};
  onDisconnect: () => void = () => {};
  /** Called when the connection is given up, above all because the token was refused. */
  onError: (error: TrigateError) => void = (error) => console.error(`${error.code}: ${error.message}`);
  private driver: SocketDriver | undefined;

  /** @throws Error before `connect()` */
  get socket(): Socket {
    if (!this.driver) throw new Error('connect() makes the socket');
    return this.driver.socket;
  }

  /** Connects with the configuration as it is now; a connection made before is ended. @throws Error for a bad one */
  connect(): void {
    const { authentication } = this.config;
    if (authentication && authentication.authMode !== 'Bearer') {
      throw new Error(`authMode ${String(authentication.authMode)} is not known; it is Bearer`);
    }
    const driver = new SocketDriver({ url: address(this.config), token: authentication?.auth });
    this.disconnect();
    this.driver = driver;
    let connected = false;
    driver.onStatus((status) => {
      const before = connected;
      connected = isConnected(status);
      if (connected) this.onConnect({ socketId: driver.socket.id ?? '' });
      else if (before) this.onDisconnect();
      if (status.state === 'closed' && status.error && status.error.code !== 'CLOSED') this.onError(status.error);
    });
    driver.connect();
  }

  disconnect(): void {
    this.driver?.close();
  }
}

function address({ host, port }: EventDataClientConfig): string {
  const url = new URL(host);
  if (port !== undefined) url.port = String(port);
  return url.origin;
}
