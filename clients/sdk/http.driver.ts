import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { bridgeHeaders, unsetWarning } from './http.driver.rules.ts';
import type { HttpDriverOptions } from './http.driver.types.ts';
import { createUpstream, forward, forwardUpgrade, type Upstream } from './http.proxy.ts';

const defaultUrl = 'http://127.0.0.1:3000';
const socketioPath = /^\/socket\.io(\/|\?|$)/;

/**
 * The server of idae-socket: clients connect to its port, and backends `POST /<eventName>` to it. It holds nothing
 * itself but passes both on to a running Trigate. Node.js only.
 */
export class HttpDriver {
  private readonly server: Server;
  private readonly upgraded = new Set<Duplex>();

  /** Warns of what nobody has set. @throws Error where an address is no http(s) URL */
  constructor(options: HttpDriverOptions = {}) {
    const { TRIGATE_URL, TRIGATE_SOCKETIO_URL, TRIGATE_TOKEN } = process.env;
    const url = options.url ?? TRIGATE_URL;
    const upstream = createUpstream(url ?? defaultUrl);
    const socketioUrl = options.socketioUrl ?? TRIGATE_SOCKETIO_URL;
    const socketio = socketioUrl === undefined ? upstream : createUpstream(socketioUrl);
    const token = options.token ?? TRIGATE_TOKEN;
    const warning = unsetWarning({ url, token }, defaultUrl);
    if (warning !== undefined) console.warn(warning);
    const upstreamOf = ({ url = '' }: IncomingMessage): Upstream => (socketioPath.test(url) ? socketio : upstream);
    this.server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 });
    this.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const extra = token ? bridgeHeaders(request.method, request.url, request.headers, token) : {};
      forward(upstreamOf(request), request, response, extra);
    });
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.upgraded.add(socket);
      socket.once('close', () => this.upgraded.delete(socket));
      forwardUpgrade(upstreamOf(request), request, socket, head);
    });
  }

  /**
   * Resolves to where it listens; port 0 takes a free one. Without a host only this machine reaches it.
   * @throws Error of the system (EADDRINUSE, EACCES)
   */
  listen(port: number, host = '127.0.0.1'): Promise<{ host: string; port: number }> {
    const { server } = this;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve({ host, port: (server.address() as AddressInfo).port });
      });
    });
  }

  /** Ends every connection; resolves when all have ended. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      for (const socket of this.upgraded) socket.destroy();
      this.server.closeAllConnections();
    });
  }
}
