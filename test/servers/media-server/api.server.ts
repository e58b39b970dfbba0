import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AuthError, type Authenticator, httpCredentials } from './auth.ts';
import { ConfigError, type ConfigStore } from './config.store.ts';
import { listen } from './listen.ts';

/** What the API lists beside the configuration; undefined where the protocol is switched off. */
export type Lists = Record<string, (() => Record<string, unknown>[]) | undefined>;

export interface ApiOptions {
  version: string;
  started: string;
  config: ConfigStore;
  authenticator: Authenticator;
  lists: Lists;
  /** By list, what closes one of its items; false where it is not there. */
  kick: Record<string, (id: string) => boolean>;
  /** Targets of a path, or undefined where there is no such path. */
  forwards(path: string): Record<string, unknown>[] | undefined;
}

/** An answer that is no success. */
class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Call {
  /** What follows the route: a name with its slashes, or an id. */
  name: string;
  query: URLSearchParams;
  body: string;
}

type Route = (call: Call) => unknown;

const maxBody = 10 * 1024 * 1024;
const ok = { status: 'ok' };
/** Lists whose items are told apart by an id, and what one of them is called. */
const itemNames: Record<string, string> = {
  rtspconns: 'connection',
  rtspsconns: 'connection',
  rtspsessions: 'session',
  rtspssessions: 'session',
  rtmpconns: 'connection',
  webrtcsessions: 'session',
  srtconns: 'connection',
  moqsessions: 'session',
  hlssessions: 'session',
};
const secretFields = ['publishPass', 'readPass', 'srtReadPassphrase', 'srtPublishPassphrase', 'whepBearerToken'];
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A configuration as it is told: secrets are `<redacted>`. */
function redact(config: Record<string, unknown>): Record<string, unknown> {
  const copy = structuredClone(config);
  for (const field of secretFields) if (copy[field]) copy[field] = '<redacted>';
  for (const user of (copy.authInternalUsers ?? []) as { pass?: string }[]) if (user.pass) user.pass = '<redacted>';
  for (const entry of (copy.forward ?? []) as { whipBearerToken?: string }[]) {
    if (entry.whipBearerToken) entry.whipBearerToken = '<redacted>';
  }
  return copy;
}

function unsigned(text: string | null, fallback: number): number {
  if (text === null || text === '') return fallback;
  if (!/^\d+$/.test(text)) throw new ApiError(400, `strconv.ParseUint: parsing "${text}": invalid syntax`);
  if (Number(text) >= 2 ** 31) throw new ApiError(400, `strconv.ParseUint: parsing "${text}": value out of range`);
  return Number(text);
}

/** @throws ApiError */
function paginate(items: readonly Record<string, unknown>[], query: URLSearchParams): Record<string, unknown> {
  const size = unsigned(query.get('itemsPerPage'), 100);
  if (size === 0) throw new ApiError(400, 'invalid items per page');
  const start = unsigned(query.get('page'), 0) * size;
  return {
    itemCount: items.length,
    pageCount: Math.ceil(items.length / size),
    items: items.slice(start, start + size),
  };
}

function checkId(id: string): void {
  if (id.length !== 36) throw new ApiError(400, `invalid UUID length: ${id.length}`);
  if (!uuid.test(id)) throw new ApiError(400, 'invalid UUID format');
}

/** The control API, version 3. */
export class ApiServer {
  readonly #options: ApiOptions;
  readonly #routes = new Map<string, Route>();
  readonly #calls = new Map<string, number>();
  #server: Server | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#addConfigRoutes();
    this.#addListRoutes();
  }

  async start(address: string): Promise<void> {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    await listen(this.#server, address);
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), 1_000).unref();
    await closed;
  }

  #addConfigRoutes(): void {
    const { config, version, started } = this.#options;
    const write = (change: (name: string, body: string) => Promise<void>): Route => {
      return async ({ name, body }) => {
        await change(nameOf(name), body);
        return ok;
      };
    };
    const routes: Record<string, Route> = {
      'GET info': () => ({ version, started }),
      'POST auth/jwks/refresh': () => ok,
      'GET config/global/get': () => redact(config.global),
      'PATCH config/global/patch': async ({ body }) => {
        await config.patchGlobal(body);
        return ok;
      },
      'GET config/pathdefaults/get': () => redact(config.defaults),
      'PATCH config/pathdefaults/patch': async ({ body }) => {
        await config.patchDefaults(body);
        return ok;
      },
      'GET config/paths/list': ({ query }) => paginate(sorted([...config.paths.values()], 'name').map(redact), query),
      'GET config/paths/get/': ({ name }) => {
        const found = config.paths.get(nameOf(name));
        if (!found) throw new ApiError(404, 'path configuration not found');
        return redact(found);
      },
      'POST config/paths/add/': write((name, body) => config.add(name, body)),
      'PATCH config/paths/patch/': write((name, body) => config.patch(name, body)),
      'POST config/paths/replace/': write((name, body) => config.replace(name, body)),
      'DELETE config/paths/delete/': write((name) => config.delete(name)),
    };
    for (const [route, handle] of Object.entries(routes)) this.#routes.set(route, handle);
  }

  #addListRoutes(): void {
    const { lists, kick, forwards } = this.#options;
    for (const [list, read] of Object.entries(lists)) {
      if (!read) continue;
      this.#routes.set(`GET ${list}/list`, ({ query }) => paginate(read(), query));
      this.#routes.set(`GET ${list}/get/`, ({ name }) => find(list, read(), name));
    }
    for (const [list, close] of Object.entries(kick)) {
      if (!lists[list]) continue;
      this.#routes.set(`POST ${list}/kick/`, ({ name }) => {
        checkId(name);
        if (!close(name)) throw new ApiError(404, `${itemNames[list]} not found`);
        return ok;
      });
    }
    const targets = (query: URLSearchParams): Record<string, unknown>[] => {
      const path = query.get('path');
      if (!path) throw new ApiError(400, 'invalid path');
      const items = forwards(path);
      if (!items) throw new ApiError(404, 'path not found');
      return items;
    };
    this.#routes.set('GET paths/forward/list', ({ query }) => paginate(targets(query), query));
    this.#routes.set('GET paths/forward/get', ({ query }) => {
      const id = query.get('id') ?? '';
      checkId(id);
      const found = targets(query).find((item) => item.id === id);
      if (!found) throw new ApiError(404, 'destination not found');
      return found;
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Server', 'mediamtx-stand-in');
    const url = new URL(`http://host${(request.url ?? '/').replace(/^\/+/, '/')}`);
    // Not of the real server: how often each route was called.
    if (url.pathname === '/stand-in/calls') return send(response, 200, Object.fromEntries(this.#calls));
    try {
      await this.#authenticate(request, url);
      const body = await readBody(request);
      const found = this.#find(request);
      if (!found) {
        response.writeHead(404, { 'Content-Type': 'text/plain' });
        response.end('404 page not found');
        return;
      }
      this.#calls.set(found.key, (this.#calls.get(found.key) ?? 0) + 1);
      send(response, 200, await found.route({ name: found.name, query: url.searchParams, body }));
    } catch (error) {
      this.#fail(response, error as Error);
    }
  }

  #fail(response: ServerResponse, error: Error): void {
    if (error instanceof AuthError) {
      if (error.ask) response.setHeader('WWW-Authenticate', 'Basic realm="mediamtx"');
      send(response, 401, { status: 'error', error: 'authentication error' });
      return;
    }
    const status = error instanceof ApiError ? error.status : error instanceof ConfigError && error.missing ? 404 : 400;
    send(response, status, { status: 'error', error: error.message });
  }

  async #authenticate(request: IncomingMessage, url: URL): Promise<void> {
    await this.#options.authenticator.check({
      action: 'api',
      path: '',
      protocol: '',
      id: null,
      query: url.search.slice(1),
      userAgent: '',
      ip: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
      ...httpCredentials(request.headers.authorization),
    });
  }

  /** A route ends in a slash where a name follows. Names are taken as they were sent: `a/../b` stays. */
  #find(request: IncomingMessage): { key: string; route: Route; name: string } | undefined {
    const [raw = ''] = (request.url ?? '').split('?');
    if (!raw.startsWith('/v3/')) return undefined;
    const path = decodeURIComponent(raw.slice('/v3/'.length));
    const exact = `${request.method} ${path}`;
    for (const [key, route] of this.#routes) {
      if (key === exact && !key.endsWith('/')) return { key, route, name: '' };
      if (key.endsWith('/') && exact.startsWith(key))
        return { key: key.slice(0, -1), route, name: exact.slice(key.length) };
    }
    return undefined;
  }
}

function nameOf(name: string): string {
  if (!name) throw new ApiError(400, 'invalid name');
  return name;
}

function find(list: string, items: readonly Record<string, unknown>[], name: string): Record<string, unknown> {
  const byId = itemNames[list] !== undefined;
  if (byId) checkId(name);
  const key = list === 'hlsmuxers' ? 'path' : byId ? 'id' : 'name';
  const found = items.find((item) => item[key] === nameOf(name));
  if (!found) throw new ApiError(404, `${itemNames[list] ?? (list === 'hlsmuxers' ? 'muxer' : 'path')} not found`);
  return found;
}

const sorted = <T extends Record<string, unknown>>(items: T[], key: string): T[] =>
  items.sort((a, b) => (String(a[key]) < String(b[key]) ? -1 : 1));

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}

/** @throws ApiError */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBody) throw new ApiError(400, 'the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
