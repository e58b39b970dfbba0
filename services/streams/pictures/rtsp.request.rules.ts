/** What a publisher says and hears over RTSP 1.0 (RFC 2326; 7826 is its successor, which media servers do not speak). Pure. */

export interface RtspRequest {
  method: 'OPTIONS' | 'ANNOUNCE' | 'SETUP' | 'RECORD' | 'TEARDOWN';
  url: string;
  /** Values come from us or are escaped: none holds a line break. */
  headers?: Record<string, string | undefined>;
  body?: string;
}

export interface RtspAnswer {
  status: number;
  cseq: number;
  /** By name in lower case; a header may come several times (RFC 2326, 4.2; RFC 2068, 4.2). */
  headers: ReadonlyMap<string, readonly string[]>;
}

/** What arrived cannot be understood: the connection is of no more use. */
export class RtspSyntaxError extends Error {}

const dollar = 0x24;
const maxHead = 8_192;
const maxBody = 65_536;
const endOfHead = '\r\n\r\n';

/** A request as it goes over the wire (RFC 2326, 6), numbered (12.17). */
export function encodeRequest({ method, url, headers = {}, body = '' }: RtspRequest, cseq: number): Buffer {
  const all = { CSeq: String(cseq), ...headers, 'Content-Length': body ? String(Buffer.byteLength(body)) : undefined };
  const lines = Object.entries(all).filter(([, value]) => value !== undefined);
  return Buffer.from(`${method} ${url} RTSP/1.0\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n${body}`);
}

/** `rtsp://host:port/path` (RFC 2326, 3.2), each part of the path escaped. */
export function rtspUrl(host: string, port: number, path: string): string {
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `rtsp://${name}:${port}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Credentials that need not be asked for first (RFC 7617, 2.2). Undefined where there is no user. */
export const basicAuthorization = (user: string, password: string): string | undefined =>
  user ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` : undefined;

/** The session's id of an answer to SETUP, without its timeout (RFC 2326, 12.37). */
export const sessionOf = ({ headers }: RtspAnswer): string | undefined =>
  headers.get('session')?.[0]?.split(';')[0]?.trim() || undefined;

/** Channel of RTP that an answer to SETUP agrees to; RTCP has the next (RFC 2326, 12.39). Null where it is not over TCP. */
export function channelOf({ headers }: RtspAnswer): number | null {
  const [, channel] = /(?:^|;)\s*interleaved=(\d{1,3})\b/i.exec(headers.get('transport')?.[0] ?? '') ?? [];
  return channel === undefined || Number(channel) > 254 ? null : Number(channel);
}

/** Cuts what the server sends into answers. Interleaved frames (RFC 2326, 10.12) and requests of the server are left out. */
export class AnswerReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Answers that are complete with this chunk. @throws RtspSyntaxError */
  push(chunk: Buffer): RtspAnswer[] {
    let rest: Buffer = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const answers: RtspAnswer[] = [];
    for (let taken = take(rest); taken; taken = take(rest)) {
      if (taken.answer) answers.push(taken.answer);
      rest = rest.subarray(taken.length);
    }
    // A copy: a few bytes would keep the whole chunk.
    this.#rest = Buffer.from(rest);
    return answers;
  }
}

interface Taken {
  /** In bytes. */
  length: number;
  answer?: RtspAnswer;
}

/** The first thing in these bytes; undefined where it is not complete. */
function take(bytes: Buffer): Taken | undefined {
  if (bytes[0] === dollar) {
    const length = bytes.length < 4 ? Number.POSITIVE_INFINITY : 4 + bytes.readUInt16BE(2);
    return bytes.length < length ? undefined : { length };
  }
  const end = bytes.subarray(0, maxHead).indexOf(endOfHead);
  if (end < 0) {
    if (bytes.length >= maxHead) throw new RtspSyntaxError('The head of an answer is too long');
    return undefined;
  }
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers = readHeaders(lines);
  const length = end + endOfHead.length + bodyLength(headers);
  if (bytes.length < length) return undefined;
  const [, status] = /^RTSP\/1\.\d (\d{3})(?: |$)/.exec(first) ?? [];
  if (status === undefined) {
    if (/^[A-Z_]{1,32} \S+ RTSP\/1\.\d$/.test(first)) return { length };
    throw new RtspSyntaxError('The server does not speak RTSP');
  }
  return { length, answer: { status: Number(status), cseq: Number(headers.get('cseq')?.[0] ?? Number.NaN), headers } };
}

function readHeaders(lines: readonly string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return headers;
}

function bodyLength(headers: ReadonlyMap<string, readonly string[]>): number {
  const length = Number(headers.get('content-length')?.[0] ?? 0);
  if (Number.isInteger(length) && length >= 0 && length <= maxBody) return length;
  throw new RtspSyntaxError('The length of an answer is not valid');
}
