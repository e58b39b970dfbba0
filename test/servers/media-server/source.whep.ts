import type { PathConfig } from './config.ts';
import type { SourceParent } from './source.ts';
import { checkAnswer, createOffer } from './whep.sdp.ts';

export interface WhepOptions {
  /** `whep://` or `wheps://` */
  url: string;
  config: PathConfig;
  readTimeoutMs: number;
  readPattern: ReadPattern;
}

/** Brings media until `signal`. */
export type ReadPattern = (ready: SourceParent['ready'], signal: AbortSignal) => Promise<void>;

const maxAnswer = 128 * 1024;

/**
 * A WHEP exchange as the real server's: OPTIONS, POST of an offer, checks of the answer, DELETE at the end. There is no
 * WebRTC behind it: media is a test pattern.
 */
class WhepSession {
  readonly #options: WhepOptions;
  readonly #url: URL;
  #location: URL | undefined;

  constructor(options: WhepOptions) {
    this.#options = options;
    this.#url = new URL(options.url.replace(/^whep/, 'http'));
    this.#url.username = '';
    this.#url.password = '';
  }

  async open(signal: AbortSignal): Promise<void> {
    const allowed = await this.#ask('OPTIONS', this.#url, signal);
    if (allowed.status !== 200 && allowed.status !== 204) throw new Error(`bad status code: ${allowed.status}`);
    const trickles = /\bPATCH\b/.test(allowed.headers.get('access-control-allow-methods') ?? '');
    const offer = createOffer(!trickles);
    const response = await this.#ask('POST', this.#url, signal, 'application/sdp', offer.sdp);
    if (response.status !== 201) throw new Error(`bad status code: ${response.status}`);
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    if (type !== 'application/sdp') throw new Error(`bad Content-Type: expected 'application/sdp', got '${type}'`);
    this.#location = new URL(response.headers.get('location') ?? '', this.#url);
    const answer = await response.text();
    if (answer.length > maxAnswer) throw new Error('the answer is too long');
    checkAnswer(offer.sdp, answer);
    if (trickles) await this.#trickle(offer.fragment, response.headers.get('etag'), signal);
  }

  async close(): Promise<void> {
    const location = this.#location;
    this.#location = undefined;
    if (location) await this.#ask('DELETE', location, AbortSignal.timeout(this.#options.readTimeoutMs));
  }

  async #trickle(fragment: string, etag: string | null, signal: AbortSignal): Promise<void> {
    if (!etag) throw new Error('ETag is missing');
    const type = 'application/trickle-ice-sdpfrag';
    const { status } = await this.#ask('PATCH', this.#location as URL, signal, type, fragment, { 'if-match': etag });
    if (status !== 204) throw new Error(`bad status code: ${status}`);
  }

  #ask(
    method: string,
    url: URL,
    signal: AbortSignal,
    type?: string,
    body?: string,
    more: Record<string, string> = {},
  ): Promise<Response> {
    const { config, readTimeoutMs } = this.#options;
    const headers = {
      ...(type && { 'content-type': type }),
      ...(config.whepBearerToken && { authorization: `Bearer ${config.whepBearerToken}` }),
      ...more,
    };
    return fetch(url, { method, headers, body, signal: AbortSignal.any([signal, AbortSignal.timeout(readTimeoutMs)]) });
  }
}

/** One attempt at a `whep` source: resolves or rejects when it is over; `signal` ends it. */
export async function pullWhep(options: WhepOptions, ready: SourceParent['ready'], signal: AbortSignal): Promise<void> {
  const session = new WhepSession(options);
  try {
    await session.open(signal);
    await options.readPattern(ready, signal);
  } finally {
    await session.close().catch(() => {});
  }
}
