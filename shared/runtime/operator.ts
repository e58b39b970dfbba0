import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';

/** A part a process needs; false or a rejection names it in `/ready`. */
export type Check = () => boolean | Promise<boolean>;

export interface Readiness {
  checks: Record<string, Check>;
  /** Set when the process is told to end: it still serves, but asks for no new work. */
  draining: boolean;
}

export const readiness = (checks: Record<string, Check>): Readiness => ({ checks, draining: false });

/** Names of what is missing; empty when the process is ready. */
export async function missingParts({ checks, draining }: Readiness): Promise<string[]> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      const fine = await Promise.resolve()
        .then(check)
        .catch(() => false);
      return fine ? [] : [name];
    }),
  );
  return [...(draining ? ['draining'] : []), ...results.flat()];
}

function json(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}

/** True where it answered. */
export type Endpoints = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

/** `/live`, `/ready`, `/health` and `/metrics` of a process; false where the path is another one. */
export function operatorEndpoints(state: Readiness, registry: Registry): Endpoints {
  return async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return false;
    switch (request.url) {
      case '/live':
      case '/health':
        json(response, 200, { status: 'ok', timestamp: new Date().toISOString() });
        return true;
      case '/ready': {
        const missing = await missingParts(state);
        json(response, missing.length === 0 ? 200 : 503, { ready: missing.length === 0, missing });
        return true;
      }
      case '/metrics':
        response.writeHead(200, { 'content-type': registry.contentType });
        response.end(await registry.metrics());
        return true;
      default:
        return false;
    }
  };
}

interface Ports {
  host: string;
  /** Undefined: the operator comes to the clients' port. */
  metricsPort?: number | undefined;
  /** Undefined where clients reach none. */
  clientPort?: number | undefined;
}

/**
 * The endpoints as they are served at the clients' port. Where the operator has another one they are all there, and
 * `/metrics`, which tells of everybody's doings, is there only.
 */
export function splitOperator(endpoints: Endpoints, { host, metricsPort, clientPort }: Ports) {
  const isApart = metricsPort !== undefined && (metricsPort === 0 || metricsPort !== clientPort);
  if (!isApart) return { forClients: endpoints, serve: async () => undefined };
  const forClients: Endpoints = async (request, response) => request.url !== '/metrics' && endpoints(request, response);
  return { forClients, serve: () => serveOperator(endpoints, { host, port: metricsPort }) };
}

/** A server for the operator alone. */
export async function serveOperator(endpoints: Endpoints, address: { host: string; port: number }): Promise<Server> {
  const server = createServer((request, response) => {
    endpoints(request, response)
      .then((handled) => handled || json(response, 404, { success: false, error: 'Not found', code: 'NOT_FOUND' }))
      .catch(() => response.destroy());
  });
  await listen(server, address);
  return server;
}

/** @throws Error of the system, EADDRINUSE among them */
export function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

const sweepMs = 50;

/**
 * Stops listening and resolves when every request is answered. Node.js closes the connections that are idle now; those
 * that become idle later would hold the end up until their keep-alive is over.
 */
export function close(server: Server): Promise<void> {
  const sweep = setInterval(() => server.closeIdleConnections(), sweepMs);
  return new Promise((resolve) => {
    server.close(() => {
      clearInterval(sweep);
      resolve();
    });
  });
}
