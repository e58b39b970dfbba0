import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { freePort } from '../ports.ts';

/** An error in the form of Google's APIs. */
export class GoogleError extends Error {
  readonly code: number;
  readonly status: string;
  constructor(code: number, status: string, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export interface Ask {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** Of a JSON body or a form; empty where there is none. */
  body: Record<string, unknown>;
  /** Settles when the client has gone. */
  gone: Promise<void>;
}

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

export const json = (body: object, status = 200): Reply => ({
  status,
  headers: { 'content-type': 'application/json; charset=UTF-8' },
  body: JSON.stringify(body),
});

export type Answer = (ask: Ask) => Promise<Reply | null> | Reply | null;

const maxBody = 1_000_000;

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > maxBody) throw new GoogleError(400, 'INVALID_ARGUMENT', 'Request payload size exceeds the limit.');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (text === '') return {};
  if (request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
    return Object.fromEntries(new URLSearchParams(text));
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new GoogleError(400, 'INVALID_ARGUMENT', 'Invalid JSON payload received.');
  }
}

async function answered(answers: readonly Answer[], request: IncomingMessage, gone: Promise<void>): Promise<Reply> {
  const url = new URL(request.url as string, 'http://google');
  const { method = 'GET', headers } = request;
  const body = await readBody(request);
  const ask = { method, headers, path: url.pathname, query: url.searchParams, body, gone };
  for (const answer of answers) {
    const reply = await answer(ask);
    if (reply) return reply;
  }
  throw new GoogleError(404, 'NOT_FOUND', 'Requested entity was not found.');
}

export interface Switch {
  readonly port: number;
  /** Whether connections are broken as soon as something is asked. */
  offline: boolean;
  stop(): Promise<void>;
}

/** An HTTP server on 127.0.0.1 that asks each of the answers in turn. */
export async function serve(answers: readonly Answer[]): Promise<Switch> {
  const sockets = new Set<Socket>();
  let server: Server;
  const state = { port: await freePort(), offline: false, stop };
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    if (state.offline) return request.socket.destroy();
    const gone = new Promise<void>((resolve) => response.once('close', resolve));
    const { status, headers, body } = await answered(answers, request, gone).catch((error: unknown) => {
      if (!(error instanceof GoogleError)) throw error;
      const { code, status, message } = error;
      return json({ error: { code, status, message } }, code);
    });
    return response.writeHead(status, headers).end(body);
  };
  server = createServer((request, response) => {
    handle(request, response).catch((error: Error) => response.writeHead(500).end(error.stack));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(state.port, '127.0.0.1', resolve));
  function stop(): Promise<void> {
    return new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  }
  return state;
}
