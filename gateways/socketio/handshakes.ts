import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import type { Server } from 'socket.io';
import { toFailure } from '../../shared/runtime/failure.ts';
import { clientAddress } from '../core/address.ts';
import type { Limit } from '../core/limits.ts';
import type { LimitHit } from './bounds.ts';

/**
 * Engine.IO sessions an address may begin for each connection it may make. Only in a session can who is just over the
 * limit of connections be told so with `connect_error`.
 */
export const sessionsPerConnection = 2;

/** Engine.IO has read the query. */
type EngineRequest = IncomingMessage & { _query: Record<string, string> };

/** Refuses sessions with 429 before there are any: one without a connection is held for `connectTimeout` otherwise. */
export function boundHandshakes(io: Server, limit: Limit, trustedProxies: number, hit: LimitHit): void {
  io.engine.use((request: EngineRequest, response: ServerResponse, next: () => void) => {
    if (request._query.sid) next();
    else limit.take(clientAddress(request, trustedProxies)).then(next, (error) => refuse(response, error));
  });

  function refuse(response: ServerResponse, error: unknown): void {
    hit('connections');
    const { code: status, type: code, message, data } = toFailure(error);
    const body = JSON.stringify({ success: false, error: message, code, ...data });
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
      'retry-after': String(data.retryAfter ?? 1),
      connection: 'close',
    };
    if (response instanceof ServerResponse) response.writeHead(status, headers).end(body);
    else refuseUpgrade((response as { socket: TcpSocket }).socket, headers, body);
  }
}

/** What Engine.IO gives for a response to an upgrade writes nothing. */
function refuseUpgrade(socket: TcpSocket, headers: Record<string, string>, body: string): void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  // Who has gone already is not told.
  socket.on('error', () => {});
  socket.write(`HTTP/1.1 429 Too Many Requests\r\n${lines.join('')}\r\n${body}`);
  socket.destroySoon();
}
