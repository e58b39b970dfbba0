import { randomBytes, randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { type Attempt, AuthError } from './auth.ts';
import { log } from './log.ts';
import { PathError } from './path.item.ts';
import type { Access, PathManager } from './path.manager.ts';
import { basicCredentials, digestMatches, digestUser } from './rtsp.auth.ts';
import { controlOf, formatSdp, parseSdp } from './rtsp.sdp.ts';
import { RtspSession } from './rtsp.session.ts';
import { encodeResponse, header, parseTarget, RtspDecoder, type RtspMessage, type RtspRequest } from './rtsp.wire.ts';
import { FrameWriter } from './stream.ts';

export interface ConnectionOptions {
  secure: boolean;
  manager: PathManager;
  digest: boolean;
  /** What the query of a trusted reader is. */
  secret: string;
  readTimeoutMs: number;
  /** Called when it has ended. */
  gone(): void;
}

interface Answer {
  status: number;
  headers?: Record<string, string | undefined>;
  body?: string;
  /** Why the connection is closed after the answer. */
  end?: string;
  /** Done when the answer is on its way. */
  sent?(): void;
}

const serverName = 'mediamtx-stand-in';
const realm = 'IPCAM';
const methods = 'DESCRIBE, ANNOUNCE, SETUP, PLAY, RECORD, PAUSE, GET_PARAMETER, TEARDOWN';
/** Requests of one connection that wait for an earlier one. */
const maxQueued = 16;

/** One client's connection: answers its requests in their order, and relays its frames. */
export class RtspConnection {
  readonly id = randomUUID();
  readonly created = new Date().toISOString();
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #decoder = new RtspDecoder();
  readonly #writer: FrameWriter;
  readonly #nonce = randomBytes(16).toString('hex');
  readonly #remoteAddr: string;
  readonly #ip: string;
  session: RtspSession | undefined;
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#writer = new FrameWriter(socket);
    this.#ip = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.#remoteAddr = `${this.#ip}:${socket.remotePort}`;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.once('close', () => {
      this.session?.over();
      options.gone();
    });
  }

  close(reason: string): void {
    if (this.#socket.destroyed) return;
    log(`[RTSP] [conn ${this.#remoteAddr}] closed: ${reason}`);
    this.#socket.destroySoon();
    // What the path counts is over now, not when the system says so.
    this.session?.over();
  }

  item(): Record<string, unknown> {
    const [received, sent] = [this.#socket.bytesRead, this.#socket.bytesWritten];
    return {
      id: this.id,
      created: this.created,
      remoteAddr: this.#remoteAddr,
      session: this.session?.id ?? null,
      tunnel: 'none',
      inboundBytes: received,
      outboundBytes: sent,
      bytesReceived: received,
      bytesSent: sent,
    };
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#decoder.push(chunk)) this.#take(message);
    } catch (error) {
      this.close((error as Error).message);
    }
  }

  #take(message: RtspMessage): void {
    if (message.kind === 'frame') this.session?.take(message);
    if (message.kind !== 'request') return;
    if (this.#queued >= maxQueued) throw new Error('too many requests');
    this.#queued += 1;
    this.#queue = this.#queue.then(async () => {
      await this.#respond(message);
      this.#queued -= 1;
    });
  }

  async #respond(request: RtspRequest): Promise<void> {
    const cseq = header(request.headers, 'cseq');
    const answer = cseq ? await this.#answer(request) : { status: 400, end: 'CSeq is missing' };
    if (this.#socket.destroyed || this.#socket.writableEnded) {
      // Whoever was held and has gone meanwhile is no reader.
      this.session?.over();
      return;
    }
    const session = this.session && `${this.session.id.replaceAll('-', '')};timeout=60`;
    const headers = { CSeq: cseq || undefined, Server: serverName, Session: session, ...answer.headers };
    this.#socket.write(encodeResponse(answer.status, headers, answer.body));
    answer.sent?.();
    if (answer.end) this.close(answer.end);
  }

  async #answer(request: RtspRequest): Promise<Answer> {
    try {
      return await this.#handle(request);
    } catch (error) {
      if (error instanceof AuthError) return this.#refuse(error);
      const { message } = error as Error;
      return { status: error instanceof PathError && error.missing ? 404 : 400, end: message };
    }
  }

  #refuse({ ask, message }: AuthError): Answer {
    const challenge = this.#options.digest
      ? `Digest realm="${realm}", nonce="${this.#nonce}"`
      : `Basic realm="${realm}"`;
    return { status: 401, headers: { 'WWW-Authenticate': challenge }, end: ask ? undefined : message };
  }

  async #handle(request: RtspRequest): Promise<Answer> {
    switch (request.method) {
      case 'OPTIONS':
        return { status: 200, headers: { Public: methods } };
      case 'GET_PARAMETER':
      case 'SET_PARAMETER':
        return { status: 200 };
      case 'DESCRIBE':
        return this.#describe(request);
      case 'ANNOUNCE':
        return this.#announce(request);
      case 'SETUP':
        return this.#setup(request);
      case 'PLAY':
        return this.#play();
      case 'RECORD':
        return this.#record();
      case 'PAUSE':
        this.session?.pause();
        return { status: this.session ? 200 : 501 };
      case 'TEARDOWN':
        return { status: this.session ? 200 : 501, end: 'torn down' };
      default:
        return { status: 501 };
    }
  }

  /** What the path's door is asked; the real server tells of no user agent with DESCRIBE. */
  #access(request: RtspRequest, action: 'read' | 'publish', path: string, query: string, id: string): Access {
    const authorization = header(request.headers, 'authorization');
    const { user, password } = basicCredentials(authorization);
    const attempt: Attempt = {
      action,
      path,
      protocol: 'rtsp',
      id,
      query,
      userAgent: request.method === 'DESCRIBE' ? '' : header(request.headers, 'user-agent'),
      ip: this.#ip,
      user: user || digestUser(authorization),
      password,
      token: '',
      verify: this.#options.digest
        ? (name, pass) => digestMatches(authorization, { user: name, password: pass }, this.#nonce, request.method)
        : undefined,
    };
    return { attempt, trusted: query === this.#options.secret };
  }

  async #describe(request: RtspRequest): Promise<Answer> {
    const { path: name, query } = parseTarget(request.url);
    const { path } = await this.#options.manager.enter(this.#access(request, 'read', name, query, this.id));
    const { source, sourceRedirect } = path.config;
    if (source === 'redirect') return { status: 302, headers: { Location: sourceRedirect } };
    const stream = await path.describe(query);
    return {
      status: 200,
      headers: { 'Content-Base': `${request.url.replace(/\/$/, '')}/`, 'Content-Type': 'application/sdp' },
      body: formatSdp(stream.tracks),
    };
  }

  async #announce(request: RtspRequest): Promise<Answer> {
    const { path, query } = parseTarget(request.url);
    const session = this.#openSession(query);
    const access = this.#access(request, 'publish', path, query, session.id);
    const { config, user } = await this.#options.manager.admit(access);
    const announced = parseSdp(request.body.toString());
    if (announced.length === 0) return { status: 400, end: 'no media was announced' };
    Object.assign(session, { state: 'preRecord', path, query, user, announced, admitted: config });
    session.userAgent = access.attempt.userAgent;
    return { status: 200 };
  }

  async #setup(request: RtspRequest): Promise<Answer> {
    const transport = header(request.headers, 'transport');
    const offered = transport.split(',').find((one) => /RTP\/AVP\/TCP/i.test(one));
    const first = !this.session || this.session.state === 'initial';
    const target = parseTarget(request.url, first ? anyControl(request.url) : this.session?.controls);
    const session = this.#openSession(target.query);
    if (!offered) return { status: 461 };
    if (first) await this.#read(request, session, target.path, target.query);
    const track = Math.max(0, session.controls.indexOf(target.control));
    if (target.control && !session.controls.includes(target.control)) return { status: 400, end: 'no such track' };
    const channel = Number(/interleaved=(\d+)/.exec(offered)?.[1] ?? track * 2);
    session.channels.set(track, channel);
    return { status: 200, headers: { Transport: `RTP/AVP/TCP;unicast;interleaved=${channel}-${channel + 1}` } };
  }

  async #read(request: RtspRequest, session: RtspSession, path: string, query: string): Promise<void> {
    const access = this.#access(request, 'read', path, query, session.id);
    Object.assign(session, { path, query });
    const found = await this.#options.manager.addReader(session, access);
    session.user = found.user;
    session.userAgent = access.attempt.userAgent;
    session.reads(found.path, found.stream);
  }

  #play(): Answer {
    const { session } = this;
    if (!session || (session.state !== 'prePlay' && session.state !== 'play')) return { status: 501 };
    return { status: 200, sent: () => session.play() };
  }

  #record(): Answer {
    const { session } = this;
    if (session?.state !== 'preRecord' || !session.admitted || session.channels.size === 0) return { status: 501 };
    const { manager, readTimeoutMs } = this.#options;
    const { path, stream } = manager.addPublisher(session, session);
    session.publishes(path, stream);
    this.#socket.setTimeout(readTimeoutMs, () => this.close('the publisher has been silent for too long'));
    return { status: 200 };
  }

  #openSession(query: string): RtspSession {
    this.session ??= new RtspSession({
      secure: this.#options.secure,
      remoteAddr: this.#remoteAddr,
      connection: this.id,
      writer: this.#writer,
      hidden: query === this.#options.secret,
      end: (reason) => this.close(reason),
    });
    return this.session;
  }
}

/** A reader's first SETUP comes before its path is known: the control is known by its shape. */
function anyControl(url: string): string[] {
  const index = /\/trackID=(\d{1,3})\/?$/.exec(url)?.[1];
  return index === undefined ? [] : [controlOf(Number(index))];
}
