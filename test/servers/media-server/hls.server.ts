import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { AuthError, httpCredentials } from './auth.ts';
import { HlsMuxer } from './hls.muxer.ts';
import { listen } from './listen.ts';
import { type Description, PathError, type Reader } from './path.item.ts';
import type { Access, PathManager } from './path.manager.ts';
import type { Path } from './path.ts';
import type { Track } from './rtsp.sdp.ts';

export interface HlsServerOptions {
  address: string;
  manager: PathManager;
  /** The URL under which a part of the server itself reads a path over RTSP. */
  inside(path: string): string;
  /** For playlists and segments. */
  directory: string;
  muxerCloseAfterMs: number;
}

/** One viewer: from the fetch of `index.m3u8`, which is checked, to the last fetch of what it names. */
class HlsSession implements Reader {
  readonly id = randomUUID();
  readonly secret = randomUUID();
  readonly created = new Date().toISOString();
  readonly description: Description = { type: 'hlsSession', id: this.id };
  readonly path: string;
  readonly query: string;
  readonly userAgent: string;
  readonly ip: string;
  readonly #remoteAddr: string;
  readonly #idle: () => void;
  user = '';
  bytes = 0;
  #target: Path | undefined;
  #unread: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor(request: IncomingMessage, path: string, query: string, idle: (session: HlsSession) => void) {
    this.path = path;
    this.query = query;
    this.userAgent = request.headers['user-agent'] ?? '';
    this.ip = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.#remoteAddr = `${this.ip}:${request.socket.remotePort}`;
    this.#idle = () => idle(this);
  }

  /** The end of the muxer ends it, not that of the path. */
  close(): void {}

  reads(path: Path): void {
    this.#target = path;
    this.#unread = path.read(this.description, this.query);
    this.touch();
  }

  touch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#idle, sessionCloseAfterMs);
  }

  over(): void {
    clearTimeout(this.#timer);
    this.#target?.removeReader(this);
    this.#target = undefined;
    this.#unread();
    this.#unread = () => {};
  }

  item(): Record<string, unknown> {
    const { id, created, path, query, user, userAgent, bytes } = this;
    return {
      id,
      created,
      remoteAddr: this.#remoteAddr,
      path,
      query,
      user,
      userAgent,
      isCDN: false,
      outboundBytes: bytes,
    };
  }
}

const sessionCloseAfterMs = 30_000;
const cookieName = 'hlsSession';
const queryName = 'session';
const types: Record<string, string> = { m3u8: 'application/vnd.apple.mpegurl', ts: 'video/mp2t' };

/** HLS of every path, made when it is fetched first. */
export class HlsServer {
  readonly #options: HlsServerOptions;
  readonly #server: Server;
  readonly #muxers = new Map<string, HlsMuxer>();
  readonly #sessions = new Map<string, HlsSession>();

  constructor(options: HlsServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  start(): Promise<void> {
    return listen(this.#server, this.#options.address);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const muxer of [...this.#muxers.values()]) muxer.close('the server is closing');
    this.#server.closeAllConnections();
    await closed;
  }

  get sessions(): HlsSession[] {
    return [...this.#sessions.values()];
  }

  get muxers(): HlsMuxer[] {
    return [...this.#muxers.values()];
  }

  kick(id: string): boolean {
    const session = this.sessions.find((one) => one.id === id);
    if (session) this.#end(session);
    return session !== undefined;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Server', 'mediamtx-stand-in');
    const url = new URL(`http://host${(request.url ?? '/').replace(/^\/+/, '/')}`);
    const path = decodeURIComponent(url.pathname.slice(1));
    try {
      if (request.method !== 'GET' || path === '') return text(response, 404, '404 page not found');
      const [, folder = '', file = ''] = /^(.*?)\/?([^/]*\.(?:m3u8|ts|mp4))$/.exec(path) ?? [];
      if (file === 'index.m3u8') await this.#index(request, response, folder, url);
      else if (file) await this.#file(request, response, folder, file, url);
      else if (!path.endsWith('/')) redirect(response, `${url.pathname}/${url.search}`);
      else await this.#page(request, response, path.slice(0, -1), url);
    } catch (error) {
      fail(response, error as Error);
    }
  }

  #access(request: IncomingMessage, path: string, query: string, id: string | null): Access {
    return {
      attempt: {
        action: 'read',
        path,
        protocol: 'hls',
        id,
        query,
        userAgent: id === null ? '' : (request.headers['user-agent'] ?? ''),
        ip: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
        ...httpCredentials(request.headers.authorization),
      },
    };
  }

  /** The page with a player: this one has none. */
  async #page(request: IncomingMessage, response: ServerResponse, path: string, url: URL): Promise<void> {
    await this.#options.manager.admit(this.#access(request, path, url.search.slice(1), null));
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end('<!doctype html><title>Stand-in</title><p>The stand-in has no player: fetch index.m3u8.');
  }

  async #index(request: IncomingMessage, response: ServerResponse, path: string, url: URL): Promise<void> {
    const query = new URLSearchParams(url.search);
    if (query.get('cookieCheck') !== '1') {
      response.setHeader('Set-Cookie', cookie('cookieCheck', '1'));
      query.set('cookieCheck', '1');
      query.sort();
      return redirect(response, `${url.pathname}?${query}`);
    }
    query.delete('cookieCheck');
    const session = new HlsSession(request, path, query.toString(), (idle) => this.#end(idle));
    const found = await this.#options.manager.addReader(
      session,
      this.#access(request, path, session.query, session.id),
    );
    session.user = found.user;
    session.reads(found.path);
    const muxer = this.#obtainMuxer(path, found.stream.tracks);
    this.#sessions.set(session.secret, session);
    const playlist = await muxer.index();
    if (!playlist) return send(response, 500, { status: 'error', error: 'muxer instance not available' });
    const isKept = cookies(request).cookieCheck === '1';
    if (isKept) response.setHeader('Set-Cookie', cookie(cookieName, session.secret));
    else query.set(queryName, session.secret);
    query.sort();
    this.#deliver(response, session, muxer, 'm3u8', withQuery(playlist, query.toString()));
  }

  async #file(request: IncomingMessage, response: ServerResponse, path: string, file: string, url: URL): Promise<void> {
    const secret = cookies(request)[cookieName] ?? url.searchParams.get(queryName) ?? '';
    const [session, muxer] = [this.#sessions.get(secret), this.#muxers.get(path)];
    const ip = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    if (!muxer || session?.path !== path || session.ip !== ip) {
      return send(response, 401, { status: 'error', error: 'authentication error' });
    }
    session.touch();
    const body = await muxer.file(file);
    if (!body) return text(response, 404, '404 page not found');
    const kind = file.split('.').at(-1) ?? '';
    const content = kind === 'm3u8' ? withQuery(body.toString(), url.search.slice(1)) : body;
    this.#deliver(response, session, muxer, kind, content);
  }

  #deliver(response: ServerResponse, session: HlsSession, muxer: HlsMuxer, kind: string, body: string | Buffer): void {
    muxer.touch();
    session.bytes += body.length;
    muxer.bytes += body.length;
    response.writeHead(200, { 'Content-Type': types[kind] ?? 'video/mp4', 'Cache-Control': 'private, no-cache' });
    response.end(body);
  }

  #obtainMuxer(path: string, tracks: readonly Track[]): HlsMuxer {
    const there = this.#muxers.get(path);
    if (there) return there;
    const { directory, inside, muxerCloseAfterMs } = this.#options;
    const muxer: HlsMuxer = new HlsMuxer({
      path,
      tracks,
      url: inside(path),
      directory: join(directory, randomUUID()),
      closeAfterMs: muxerCloseAfterMs,
      gone: () => {
        if (this.#muxers.get(path) === muxer) this.#muxers.delete(path);
        for (const session of this.sessions) if (session.path === path) this.#end(session);
      },
    });
    this.#muxers.set(path, muxer);
    return muxer;
  }

  #end(session: HlsSession): void {
    this.#sessions.delete(session.secret);
    session.over();
  }
}

const cookie = (name: string, value: string): string =>
  `${name}=${value}; HttpOnly; Secure; SameSite=None; Partitioned`;

const cookies = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries((request.headers.cookie ?? '').split(/; */).map((pair) => pair.split('=', 2) as [string, string]));

/** Every name in a playlist, with the query that lets its reader in. */
const withQuery = (playlist: string, query: string): string =>
  query ? playlist.replace(/^([^#\s].*)$/gm, `$1?${query.replaceAll('$', '$$$$')}`) : playlist;

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { Location: location }).end();
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain' }).end(body);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}

function fail(response: ServerResponse, error: Error): void {
  if (error instanceof AuthError) {
    if (error.ask) response.setHeader('WWW-Authenticate', 'Basic realm="mediamtx"');
    send(response, 401, { status: 'error', error: 'authentication error' });
    return;
  }
  const missing = error instanceof PathError && error.missing;
  send(response, missing ? 404 : 500, { status: 'error', error: error.message });
}
