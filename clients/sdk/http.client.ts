import { type Call, type CallParams, defaultCallMs } from './calls.ts';
import { TrigateError, toldError } from './error.ts';
import { httpAddress } from './http.rules.ts';
import { resolveToken, type Token } from './token.ts';

export interface HttpClientOptions {
  /** Of Trigate, or of its HTTP gateway. */
  url: string;
  /** A function is asked before every call. */
  token?: Token | undefined;
  /** In place of a token. */
  apiKey?: string | undefined;
  /** Milliseconds until a call is given up; default 12,000. */
  timeoutMs?: number | undefined;
}

/** The commands over HTTP: to log in, and where a connection that stays is too much. Nothing is sent twice. */
export function createHttpClient(options: HttpClientOptions): { call: Call } {
  const { url, timeoutMs = defaultCallMs } = options;

  async function send(name: string, params: CallParams, limitMs: number): Promise<unknown> {
    const signal = AbortSignal.timeout(limitMs);
    const { method, path, body } = httpAddress(name, params);
    const headers = await headersOf(options, limitMs);
    if (body !== undefined) headers['content-type'] = 'application/json';
    try {
      const response = await fetch(url.replace(/\/+$/, '') + path, {
        method,
        headers,
        signal,
        ...(body !== undefined && { body }),
      });
      return readResponse(response, await response.text());
    } catch (cause) {
      if (cause instanceof TrigateError) throw cause;
      if (signal.aborted) throw new TrigateError('TIMEOUT', `No answer within ${limitMs} ms`, { cause });
      throw new TrigateError('DISCONNECTED', `${url} gave no answer`, { cause });
    }
  }

  return {
    call: async (name, ...[params, call]) => (await send(name, params ?? {}, call?.timeoutMs ?? timeoutMs)) as never,
  };
}

async function headersOf({ token, apiKey }: HttpClientOptions, limitMs: number): Promise<Record<string, string>> {
  const bearer = await resolveToken(token, false, limitMs);
  if (bearer !== undefined) return { authorization: `Bearer ${bearer}` };
  return apiKey === undefined ? {} : { 'x-api-key': apiKey };
}

function readResponse({ ok, status, headers }: Response, text: string): unknown {
  const requestId = headers.get('x-request-id') ?? undefined;
  // What stands between may answer a page of its own.
  const fallback = status === 502 || status === 503 || status === 504 ? 'UNAVAILABLE' : 'INTERNAL_SERVER_ERROR';
  let body: unknown;
  try {
    body = text === '' ? undefined : JSON.parse(text);
  } catch {
    throw new TrigateError(fallback, `Not an answer of Trigate (HTTP ${status})`, { requestId });
  }
  if (ok) return body;
  const { error: message = `HTTP ${status}`, ...told } = (body ?? {}) as { error?: unknown };
  throw toldError({ ...told, message }, fallback, { requestId });
}
