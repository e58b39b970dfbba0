import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
import { listen } from './listen.ts';
import type { PathManager } from './path.manager.ts';
import { RtspConnection } from './rtsp.connection.ts';
import type { RtspSession } from './rtsp.session.ts';

export interface RtspServerOptions {
  address: string;
  /** Files of a key and its certificate, for RTSPS. */
  tls?: { key: string; cert: string };
  manager: PathManager;
  digest: boolean;
  secret: string;
  readTimeoutMs: number;
}

/** RTSP over TCP, interleaved; other transports are answered with 461. */
export class RtspServer {
  readonly #server: Server;
  readonly #address: string;
  readonly #connections = new Set<RtspConnection>();

  constructor({ address, tls, ...options }: RtspServerOptions) {
    this.#address = address;
    const accept = (socket: Socket) => {
      const connection: RtspConnection = new RtspConnection(socket, {
        ...options,
        secure: tls !== undefined,
        gone: () => this.#connections.delete(connection),
      });
      this.#connections.add(connection);
    };
    this.#server = tls
      ? createSecureServer({ key: readFileSync(tls.key), cert: readFileSync(tls.cert) }, accept)
      : createServer(accept);
  }

  start(): Promise<void> {
    return listen(this.#server, this.#address);
  }

  /** Where it listens. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends the listener and every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.close('the server is closing');
    await closed;
  }

  get sessions(): RtspSession[] {
    const sessions = [...this.#connections].map(({ session }) => session);
    return sessions.filter((session) => session !== undefined).filter(({ hidden }) => !hidden);
  }

  get connections(): RtspConnection[] {
    return [...this.#connections].filter(({ session }) => !session?.hidden);
  }
}
