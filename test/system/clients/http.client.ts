import { randomUUID } from 'node:crypto';
import qs from 'qs';
import { type HttpRoute, httpRoutes } from '../../../shared/contracts/derive/http.ts';
import { contracts, errorTable, isErrorCode } from '../../../shared/contracts/index.ts';
import type { Answer, AnswerError, Ask, Client } from '../clients.ts';
import { answerMs } from './wait.ts';

const routes = httpRoutes(contracts);

/** Where a command is; for one that is none, where it would be. @throws Error where HTTP has no way to say it */
function placeOf({ module, command, entity, payload }: Ask): { method: string; path: string; route?: HttpRoute } {
  const id = entity === undefined ? undefined : encodeURIComponent(String(entity));
  const found = routes.filter((route) => route.module === module && route.command === command);
  const route = found.find(({ method }) => method === 'PATCH') ?? found[0];
  if (!route) {
    const collection = command === 'list' || command === 'create';
    if (collection) return { method: command === 'list' ? 'GET' : 'POST', path: `/api/${module}` };
    return { method: 'POST', path: `/api/${module}/${id ?? '-'}/${command}` };
  }
  if ((route.entityFrom === 'path') !== (id !== undefined)) {
    throw new Error(`HTTP cannot say ${module}.${command} ${id === undefined ? 'without' : 'with'} an entity`);
  }
  const path = route.path.replace('{id}', id ?? '');
  const query = route.method === 'GET' && payload !== undefined ? `?${qs.stringify(payload)}` : '';
  return { method: route.method, path: path + query, route };
}

export interface HttpReply {
  status: number;
  headers: Headers;
  /** Undefined where there is none. */
  body: unknown;
}

/** A request as such, for what the table of commands cannot say. */
export async function httpRequest(url: string, init: RequestInit & { json?: unknown } = {}): Promise<HttpReply> {
  const { json, ...rest } = init;
  const response = await fetch(url, {
    ...rest,
    signal: AbortSignal.timeout(answerMs),
    headers: { ...(json !== undefined && { 'content-type': 'application/json' }), ...rest.headers },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  });
  const text = await response.text();
  const { status, headers } = response;
  return { status, headers, body: text === '' ? undefined : JSON.parse(text) };
}

interface ErrorBody {
  success?: unknown;
  error?: unknown;
  code?: string;
  requestId?: string;
  details?: AnswerError['details'];
  retryAfter?: number;
}

/** What every answer has: the request's id; and an error the envelope, with the status of its code. */
export function readReply({ status, headers, body }: HttpReply, requestId: string, route?: HttpRoute): Answer {
  if (headers.get('x-request-id') !== requestId) throw new Error(`X-Request-Id ${headers.get('x-request-id')}`);
  if (status < 400) {
    if (route && status !== route.status) throw new Error(`${route.method} ${route.path} answered ${status}`);
    if ((status === 204) !== (body === undefined)) throw new Error(`${status} with the body ${JSON.stringify(body)}`);
    return { ok: body ?? null };
  }
  const { success, error, code, requestId: told, details, retryAfter, ...rest } = body as ErrorBody;
  const message = error;
  const sound = success === false && told === requestId && Object.keys(rest).length === 0;
  if (!sound || typeof message !== 'string' || !isErrorCode(code) || errorTable[code].status !== status) {
    throw new Error(`not an error's envelope: ${status} ${JSON.stringify(body)}`);
  }
  return { error: { code, message, ...(details && { details }), ...(retryAfter && { retryAfter }) } };
}

export function httpClient(url: string, apiKey?: string): Client {
  return {
    protocol: 'http',
    async request(ask, as) {
      const { method, path, route } = placeOf(ask);
      const requestId = randomUUID();
      const withBody = method !== 'GET' && ask.payload !== undefined;
      const reply = await httpRequest(url + path, {
        method,
        headers: {
          'x-request-id': requestId,
          ...(as !== null && { authorization: `Bearer ${as}` }),
          ...(as === null && apiKey !== undefined && { 'x-api-key': apiKey }),
        },
        ...(withBody && { json: ask.payload }),
      });
      return readReply(reply, requestId, route);
    },
    close: async () => {},
  };
}
