import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { request as httpsRequest, Agent as TlsAgent } from 'node:https';
import { type Duplex, pipeline } from 'node:stream';
import { answeredHeaders, forwardedHeaders } from './http.driver.rules.ts';

/** Milliseconds without a byte: longer than Socket.IO's heartbeat (25 s), shorter than Trigate keeps an idle connection. */
const idleMs = 40_000;
const nothing = () => {};

export interface Upstream {
  target: URL;
  send(request: IncomingMessage, headers: Record<string, string | string[]>): ClientRequest;
}

/** @throws Error where it is no http(s) URL */
export function createUpstream(url: string): Upstream {
  const target = new URL(url);
  const tls = target.protocol === 'https:';
  if (!tls && target.protocol !== 'http:') throw new Error(`${url} is no http(s) URL`);
  const agent = new (tls ? TlsAgent : Agent)({ keepAlive: true, timeout: idleMs });
  const base = target.pathname.replace(/\/$/, '');
  return {
    target,
    send({ method = 'GET', url: path = '/' }, headers) {
      const upgrade = headers.upgrade !== undefined;
      const place = { hostname: target.hostname.replace(/^\[|\]$/g, ''), port: target.port, path: base + path };
      const options = { ...place, method, headers, timeout: idleMs, agent: upgrade ? (false as const) : agent };
      const sent = (tls ? httpsRequest : httpRequest)(options);
      sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
      return sent;
    },
  };
}

const addressOf = ({ socket }: IncomingMessage): string => socket.remoteAddress ?? 'unknown';

/** Absolute URLs ask for a proxy to anywhere, which this is not. */
const isPath = ({ url }: IncomingMessage): boolean => url?.startsWith('/') === true;

/** Passes a request on and its answer back; a Trigate that is not there is answered 503. */
export function forward(
  upstream: Upstream,
  request: IncomingMessage,
  response: ServerResponse,
  extra: Record<string, string>,
): void {
  if (!isPath(request)) {
    refuse(response, 400, 'INVALID_REQUEST', 'Only a path can be asked for');
    return;
  }
  const headers = { ...forwardedHeaders(request.headers, upstream.target, addressOf(request)), ...extra };
  const sent = upstream.send(request, headers);
  sent.on('response', (answer) => {
    response.writeHead(answer.statusCode as number, answeredHeaders(answer.headers));
    pipeline(answer, response, nothing);
  });
  sent.on('error', () => refuse(response, 503, 'UNAVAILABLE', 'Trigate does not answer where TRIGATE_URL has it'));
  response.once('close', () => sent.destroy());
  // Not pipeline: Trigate may answer before it has read all, and then the answer counts.
  request.pipe(sent);
}

function refuse(response: ServerResponse, status: number, code: string, error: string): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ success: false, error, code }));
}

/** Passes a WebSocket handshake on, and then the bytes in both directions. */
export function forwardUpgrade(upstream: Upstream, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on('error', nothing);
  if (!isPath(request)) return void socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  const headers = forwardedHeaders(request.headers, upstream.target, addressOf(request));
  const sent = upstream.send(request, { ...headers, connection: 'Upgrade', upgrade: request.headers.upgrade ?? '' });
  const abort = () => sent.destroy();
  socket.once('close', abort);
  sent.on('upgrade', (answer, peer: Duplex, first: Buffer) => {
    socket.off('close', abort);
    socket.write(headOf(answer));
    if (first.length > 0) socket.write(first);
    if (head.length > 0) peer.write(head);
    pipeline(socket, peer, nothing);
    pipeline(peer, socket, nothing);
  });
  sent.on('response', (answer) => {
    socket.write(headOf(answer, 'close'));
    pipeline(answer, socket, nothing);
  });
  sent.on('error', () => socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n'));
  sent.end();
}

/** A head as it came but for `connection` where one is given; without chunks, which Node.js has taken apart. */
function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage, connection?: string): string {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase();
    const replaced = name === 'transfer-encoding' || (connection !== undefined && name === 'connection');
    if (!replaced) lines.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`);
  }
  if (connection !== undefined) lines.push(`Connection: ${connection}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
