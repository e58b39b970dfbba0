/** RTSP 1.0 (RFC 2326) and its interleaved frames (10.12) as bytes. Pure. */

export type Headers = Record<string, string[]>;

export interface RtspRequest {
  kind: 'request';
  method: string;
  url: string;
  /** Names in lower case. */
  headers: Headers;
  body: Buffer;
}

export interface RtspResponse {
  kind: 'response';
  status: number;
  reason: string;
  headers: Headers;
  body: Buffer;
}

/** RTP or RTCP of one channel. */
export interface RtspFrame {
  kind: 'frame';
  channel: number;
  /** With the four bytes of its header, so that it can be sent on as it is. */
  raw: Buffer;
}

export type RtspMessage = RtspRequest | RtspResponse | RtspFrame;

/** What arrived is no RTSP: the connection cannot go on. */
export class WireError extends Error {}

const dollar = 0x24;
const maxHead = 16_384;
const maxBody = 131_072;
const empty: Buffer = Buffer.alloc(0);
const endOfHead = Buffer.from('\r\n\r\n');

const reasons: Record<number, string> = {
  200: 'OK',
  302: 'Found',
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  454: 'Session Not Found',
  455: 'Method Not Valid in This State',
  461: 'Unsupported Transport',
  500: 'Internal Server Error',
  501: 'Not Implemented',
};

/** The first value of a header, or ''. */
export const header = (headers: Headers, name: string): string => headers[name]?.[0] ?? '';

function parseHeaders(lines: readonly string[]): Headers {
  const headers: Headers = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) throw new WireError(`invalid header '${line.slice(0, 40)}'`);
    const name = line.slice(0, colon).trim().toLowerCase();
    headers[name] = [...(headers[name] ?? []), line.slice(colon + 1).trim()];
  }
  return headers;
}

function parseHead(text: string): Omit<RtspRequest, 'body'> | Omit<RtspResponse, 'body'> {
  const [first = '', ...lines] = text.split('\r\n');
  const headers = parseHeaders(lines);
  const answer = /^RTSP\/1\.0 (\d{3}) ?(.*)$/.exec(first);
  if (answer) return { kind: 'response', status: Number(answer[1]), reason: answer[2] ?? '', headers };
  const request = /^([A-Z_]{1,32}) (\S+) RTSP\/1\.0$/.exec(first);
  if (!request) throw new WireError(`invalid first line '${first.slice(0, 80)}'`);
  return { kind: 'request', method: request[1] ?? '', url: request[2] ?? '', headers };
}

function bodyLength(headers: Headers): number {
  const length = Number(header(headers, 'content-length') || 0);
  if (!Number.isInteger(length) || length < 0 || length > maxBody) throw new WireError('invalid Content-Length');
  return length;
}

/** Cuts a byte stream into messages. */
export class RtspDecoder {
  #rest: Buffer = empty;

  /** The messages that are complete with this chunk. @throws WireError */
  push(chunk: Buffer): RtspMessage[] {
    let rest = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    const messages: RtspMessage[] = [];
    for (;;) {
      const taken = rest[0] === dollar ? this.#frame(rest) : this.#message(rest);
      if (!taken) break;
      messages.push(taken.message);
      rest = rest.subarray(taken.length);
    }
    this.#rest = rest;
    return messages;
  }

  #frame(bytes: Buffer): { message: RtspFrame; length: number } | undefined {
    if (bytes.length < 4) return undefined;
    const length = 4 + bytes.readUInt16BE(2);
    if (bytes.length < length) return undefined;
    return { message: { kind: 'frame', channel: bytes[1] as number, raw: bytes.subarray(0, length) }, length };
  }

  #message(bytes: Buffer): { message: RtspMessage; length: number } | undefined {
    // Some clients end a message with a further line break.
    const start = bytes[0] === 13 && bytes[1] === 10 ? 2 : 0;
    const end = bytes.indexOf(endOfHead, start);
    if (end < 0) {
      if (bytes.length > maxHead) throw new WireError('a head that is too long');
      return undefined;
    }
    const head = parseHead(bytes.toString('latin1', start, end));
    const length = end + 4 + bodyLength(head.headers);
    if (bytes.length < length) return undefined;
    return { message: { ...head, body: bytes.subarray(end + 4, length) }, length };
  }
}

function encode(first: string, headers: Record<string, string | undefined>, body: string): Buffer {
  const lines = Object.entries(headers).filter(([, value]) => value !== undefined);
  if (body) lines.push(['Content-Length', String(Buffer.byteLength(body))]);
  return Buffer.from(`${first}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
}

export const encodeRequest = (
  method: string,
  url: string,
  headers: Record<string, string | undefined>,
  body = '',
): Buffer => encode(`${method} ${url} RTSP/1.0`, headers, body);

export const encodeResponse = (status: number, headers: Record<string, string | undefined>, body = ''): Buffer =>
  encode(`RTSP/1.0 ${status} ${reasons[status] ?? 'Error'}`, headers, body);

/** The frame with another channel number. */
export function onChannel(raw: Buffer, channel: number): Buffer {
  if (raw[1] === channel) return raw;
  const copy = Buffer.from(raw);
  copy[1] = channel;
  return copy;
}

/** An RTP or RTCP packet (at most 65535 bytes) as a frame. */
export function toFrame(packet: Buffer, channel: number): Buffer {
  const raw = Buffer.allocUnsafe(packet.length + 4);
  raw[0] = dollar;
  raw[1] = channel;
  raw.writeUInt16BE(packet.length, 2);
  packet.copy(raw, 4);
  return raw;
}

export interface RtspTarget {
  /** Without slashes at either end. */
  path: string;
  /** Without `?`, and without what `a=control` adds to a URL that has a query. */
  query: string;
  /** What follows the path where it is one of the controls, as `trackID=0`. */
  control: string;
}

/**
 * Takes a URL as `rtsp://host/door?token=x/trackID=0` to pieces: clients put a control after the query.
 * @throws WireError
 */
export function parseTarget(url: string, controls: readonly string[] = []): RtspTarget {
  const match = /^rtsps?:\/\/[^/?]*\/?([^?]*)(?:\?(.*))?$/.exec(url);
  if (!match) throw new WireError(`invalid URL '${url.slice(0, 80)}'`);
  let [, path = '', query = ''] = match;
  const control = controls.find((name) => url === name || url.endsWith(`/${name}`)) ?? '';
  if (control && query.endsWith(`/${control}`)) query = query.slice(0, -control.length - 1);
  else if (control && path.endsWith(`/${control}`)) path = path.slice(0, -control.length - 1);
  return { path: decodeURIComponent(path).replace(/\/$/, ''), query: query.replace(/\/$/, ''), control };
}
