import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { Log } from '../../../shared/runtime/log.ts';
import { isAllowedOrigin } from '../../core/origins.ts';
import { maxMessageBytes } from '../../core/safe-json.ts';
import { FrameGuard } from './frames.ts';

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** MQTT over WebSocket; absent: none. */
  readonly wsPort?: number;
  /** Origins of pages that may connect, beside pages of the same origin; `*` is any. */
  readonly origins: readonly string[];
  readonly maxConnections: number;
  readonly log: Log;
}

export interface Listeners {
  readonly port: number;
  readonly wsPort: number | undefined;
  listening(): boolean;
  /** Lets nobody in from now on. */
  shut(): void;
  /** Also ends what is still connected. */
  close(): Promise<void>;
}

/** The first packet comes from somebody unknown, and holds a token and perhaps a will. */
const maxConnect = 65_536;
/** Twice the largest request: one that is too large is still answered. */
const maxPacket = 2 * maxMessageBytes;
const probeMs = 60_000;

/** Hands each connection that keeps the bounds to the broker. */
export type Accept = (stream: Duplex, request?: IncomingMessage) => void;

export async function listen(options: ListenOptions, accept: Accept): Promise<Listeners> {
  const open = new Set<Duplex>();
  const enter = (stream: Duplex, socket: Socket, request?: IncomingMessage): void => {
    if (open.size >= options.maxConnections) {
      options.log.warn({ connections: open.size }, 'MQTT connection refused: too many');
      socket.destroy();
      return;
    }
    open.add(stream);
    stream.once('close', () => open.delete(stream));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, probeMs);
    accept(stream, request);
    guard(stream);
  };
  const tcp = createServer((socket) => enter(socket, socket));
  const web = options.wsPort === undefined ? undefined : webSocketServer(options, enter);
  const servers: [Server, number][] = [[tcp, options.port]];
  if (web) servers.push([web, options.wsPort ?? 0]);
  for (const [server, port] of servers) await started(server, port, options.host);
  return {
    port: portOf(tcp),
    wsPort: web && portOf(web),
    listening: () => servers.every(([server]) => server.listening),
    shut() {
      for (const [server] of servers) server.close();
    },
    async close() {
      const closed = servers.map(([server]) => new Promise<void>((resolve) => server.close(() => resolve())));
      for (const stream of open) stream.destroy();
      await Promise.all(closed);
    },
  };
}

/** Sees each chunk just before Aedes does, as that reads on demand. */
function guard(stream: Duplex): void {
  const frames = new FrameGuard(maxConnect, maxPacket);
  stream.on('data', (chunk: Buffer) => {
    if (!frames.accepts(chunk)) stream.destroy();
  });
}

function webSocketServer(
  { origins }: ListenOptions,
  enter: (stream: Duplex, socket: Socket, request: IncomingMessage) => void,
): Server {
  const http = createHttpServer((_request, response) => response.writeHead(426).end());
  const sockets = new WebSocketServer({
    server: http,
    maxPayload: maxPacket,
    perMessageDeflate: false,
    // MQTT 3.1.1, 6: the subprotocol is required.
    handleProtocols: (protocols) => protocols.has('mqtt') && 'mqtt',
    verifyClient: ({ req }: { req: IncomingMessage }) => isAllowedOrigin(req, origins),
  });
  sockets.on('connection', (socket, request) => enter(createWebSocketStream(socket), request.socket, request));
  return http;
}

const started = (server: Server, port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}
