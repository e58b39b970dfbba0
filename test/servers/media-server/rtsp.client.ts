import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { authorize, type Credentials } from './rtsp.auth.ts';
import { controlUrl, formatSdp, parseSdp, type Track } from './rtsp.sdp.ts';
import { encodeRequest, header, RtspDecoder, type RtspMessage, type RtspResponse } from './rtsp.wire.ts';
import { FrameWriter, type Packet, type Stream } from './stream.ts';

export interface RtspClientOptions {
  /** `rtsp://user:password@host:port/path` or `rtsps://…`. */
  url: string;
  /** SHA-256 of the server's certificate, for `rtsps` without a known authority. */
  fingerprint?: string;
  /** Milliseconds without a byte after which the server counts as gone. */
  readTimeoutMs: number;
}

interface Waiting {
  resolve(response: RtspResponse): void;
  reject(error: Error): void;
}

const userAgent = 'mediamtx-stand-in';
const keepAliveMs = 25_000;

const fingerprintOf = (socket: TLSSocket): string =>
  socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase();

/** One RTSP connection over TCP to another server: it pulls or pushes a stream, interleaved. */
export class RtspClient {
  readonly #socket: Socket;
  readonly #url: string;
  readonly #credentials: Credentials | undefined;
  readonly #waiting = new Map<number, Waiting>();
  readonly #decoder = new RtspDecoder();
  /** Rejects when the connection has ended, with the reason. */
  readonly ended: Promise<never>;
  #fail: (error: Error) => void = () => {};
  #cseq = 0;
  #session = '';
  #challenges: readonly string[] = [];
  #keepAlive: NodeJS.Timeout | undefined;
  #onPacket: (packet: Packet) => void = () => {};

  constructor({ url, fingerprint, readTimeoutMs }: RtspClientOptions) {
    const { protocol, hostname, port, username, password } = new URL(url);
    this.#url = url.replace(/^(rtsps?:\/\/)[^/@]*@/, '$1');
    this.#credentials = username
      ? { user: decodeURIComponent(username), password: decodeURIComponent(password) }
      : undefined;
    this.ended = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.ended.catch(() => {});
    const host = hostname.replace(/^\[|\]$/g, '');
    this.#socket =
      protocol === 'rtsps:' ? secure(host, Number(port || 322), fingerprint) : connect(Number(port || 554), host);
    this.#socket.setNoDelay(true);
    this.#socket.setTimeout(readTimeoutMs, () => this.close(new Error('the server has been silent for too long')));
    this.#socket.on('error', (error) => this.close(error));
    this.#socket.on('close', () => this.close(new Error('the server closed the connection')));
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  /** Reads the server's stream: `ready` is called with its tracks before media may come, `receive` with each packet. */
  async pull(ready: (tracks: Track[]) => Stream): Promise<void> {
    await this.#ask('OPTIONS', this.#url);
    const description = await this.#ask('DESCRIBE', this.#url, { Accept: 'application/sdp' });
    const base = header(description.headers, 'content-base') || this.#url;
    const tracks = parseSdp(description.body.toString()).filter(({ protocol }) => protocol.includes('RTP'));
    if (tracks.length === 0) throw new Error('the server offers no media');
    for (const [index, track] of tracks.entries()) {
      const transport = `RTP/AVP/TCP;unicast;interleaved=${index * 2}-${index * 2 + 1}`;
      await this.#ask('SETUP', controlUrl(base, track.control), { Transport: transport });
    }
    const stream = ready(tracks);
    this.#onPacket = (packet) => stream.write(packet);
    await this.#ask('PLAY', base);
    this.#stayAlive('GET_PARAMETER');
  }

  /** Publishes a stream; returns what counts what was sent. */
  async push(stream: Stream): Promise<FrameWriter> {
    await this.#ask('OPTIONS', this.#url);
    await this.#ask('ANNOUNCE', this.#url, { 'Content-Type': 'application/sdp' }, formatSdp(stream.tracks));
    for (const index of stream.tracks.keys()) {
      const transport = `RTP/AVP/TCP;unicast;mode=record;interleaved=${index * 2}-${index * 2 + 1}`;
      await this.#ask('SETUP', controlUrl(this.#url, `trackID=${index}`), { Transport: transport });
    }
    await this.#ask('RECORD', this.#url);
    // The server sends nothing of its own now.
    this.#socket.setTimeout(0);
    const writer = new FrameWriter(this.#socket);
    const stop = stream.receive(({ track, rtcp, raw }) => writer.send(raw, track * 2 + (rtcp ? 1 : 0)));
    this.ended.catch(stop);
    this.#stayAlive('OPTIONS');
    return writer;
  }

  /** Ends the connection, with a TEARDOWN where a session stands. */
  close(reason = new Error('terminated')): void {
    clearInterval(this.#keepAlive);
    this.#fail(reason);
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
    if (this.#socket.destroyed) return;
    if (this.#session && this.#socket.writable) {
      this.#cseq += 1;
      this.#socket.write(encodeRequest('TEARDOWN', this.#url, { CSeq: String(this.#cseq), Session: this.#session }));
    }
    this.#socket.destroySoon();
  }

  #stayAlive(method: string): void {
    this.#keepAlive = setInterval(() => {
      this.#ask(method, this.#url).catch((error: Error) => this.close(error));
    }, keepAliveMs);
  }

  async #ask(method: string, url: string, headers: Record<string, string> = {}, body = ''): Promise<RtspResponse> {
    let response = await this.#send(method, url, headers, body);
    const challenges = response.headers['www-authenticate'];
    if (response.status === 401 && challenges && this.#credentials) {
      this.#challenges = challenges;
      response = await this.#send(method, url, headers, body);
    }
    if (response.status !== 200) throw new Error(`bad status code: ${response.status} (${response.reason})`);
    this.#session ||= header(response.headers, 'session').split(';')[0] ?? '';
    return response;
  }

  #send(method: string, url: string, headers: Record<string, string>, body: string): Promise<RtspResponse> {
    this.#cseq += 1;
    const cseq = this.#cseq;
    const credentials = this.#credentials;
    const request = encodeRequest(
      method,
      url,
      {
        CSeq: String(cseq),
        'User-Agent': userAgent,
        Session: this.#session || undefined,
        Authorization: credentials && authorize(this.#challenges, credentials, method, url),
        ...headers,
      },
      body,
    );
    const answered = new Promise<RtspResponse>((resolve, reject) => this.#waiting.set(cseq, { resolve, reject }));
    this.#socket.write(request);
    return Promise.race([answered, this.ended]);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#decoder.push(chunk)) this.#take(message);
    } catch (error) {
      this.close(error as Error);
    }
  }

  #take(message: RtspMessage): void {
    if (message.kind === 'frame') {
      this.#onPacket({ track: message.channel >> 1, rtcp: message.channel % 2 === 1, raw: message.raw });
    } else if (message.kind === 'response') {
      const cseq = Number(header(message.headers, 'cseq'));
      this.#waiting.get(cseq)?.resolve(message);
      this.#waiting.delete(cseq);
    }
  }
}

function secure(host: string, port: number, fingerprint: string | undefined): Socket {
  const socket = connectTls({ host, port, servername: host, rejectUnauthorized: !fingerprint });
  if (fingerprint) {
    socket.once('secureConnect', () => {
      if (fingerprintOf(socket) !== fingerprint.toLowerCase()) socket.destroy(new Error('fingerprints do not match'));
    });
  }
  return socket;
}
