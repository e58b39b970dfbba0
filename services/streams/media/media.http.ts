import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { MediaError } from './media.error.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export interface Answer {
  status: number;
  text: string;
}

export interface MediaHttp {
  /** @throws MediaError 'unreachable' or 'invalid' (an answer larger than 32 MB) */
  send(method: Method, path: string, options?: { body?: unknown; timeoutMs?: number }): Promise<Answer>;
  close(): void;
}

const timeoutDefault = 2_000;
/** A thousand paths with all their fields are 4 MB. */
const maxAnswer = 32 * 1024 * 1024;

/**
 * Calls one media server over few connections that are kept open. User name and password of the URL go as Basic.
 * @param base its URL; a path in it begins every call's path
 * @param maxConnections calls beyond them wait, and what they wait counts for their timeout
 */
export function mediaHttp(base: string, maxConnections: number): MediaHttp {
  const { protocol, hostname, port, pathname, username, password } = new URL(base);
  const secure = protocol === 'https:';
  const agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: maxConnections });
  const shared: RequestOptions = {
    agent,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port || (secure ? 443 : 80),
    ...(username && { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }),
  };
  let closed = false;
  const prefix = pathname.replace(/\/+$/, '');
  const exchange = (options: RequestOptions, body: string | undefined, signal: AbortSignal) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = (secure ? httpsRequest : httpRequest)({ ...shared, ...options, signal }, (response) =>
        read(response).then(resolve, reject),
      );
      // The server may have closed a connection that lay idle just as it was taken up again.
      sent.on('error', (error: NodeJS.ErrnoException) =>
        sent.reusedSocket && error.code === 'ECONNRESET' ? reject(new StaleConnection()) : reject(error),
      );
      sent.end(body);
    });

  return {
    async send(method, path, { body, timeoutMs = timeoutDefault } = {}) {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers =
        text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const options = { method, path: `${prefix}${path}`, headers };
      if (closed) throw new MediaError('unreachable', 'The media server is no longer asked');
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        return await exchange(options, text, signal).catch((error) => {
          if (error instanceof StaleConnection) return exchange(options, text, signal);
          throw error;
        });
      } catch (error) {
        if (error instanceof MediaError) throw error;
        const why = signal.aborted ? `did not answer within ${timeoutMs} ms` : 'cannot be reached';
        throw new MediaError('unreachable', `The media server ${why}`, { cause: error });
      }
    },
    close() {
      closed = true;
      agent.destroy();
    },
  };
}

class StaleConnection extends Error {}

async function read(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswer) throw new MediaError('invalid', 'The media server answered with more than 32 MB');
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}
