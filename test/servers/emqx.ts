import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A session the stand-in has. */
export interface EmqxSession {
  clientid: string;
  username: string;
  client_attrs: Record<string, string>;
}

export interface EmqxStandIn {
  url: string;
  sessions: Map<string, EmqxSession>;
  /** Method and path of each request. */
  asked: string[];
  /** What the next requests are answered, instead of what was asked for. */
  failures: number[];
  stop(): Promise<void>;
}

export const emqxKey = { key: 'trigate', secret: 'a secret of EMQX' };
/** Its documentation: a page has 10,000 rows at most. */
const maxLimit = 10_000;

/**
 * A stand-in for the REST API of EMQX 5.8, no EMQX: the two calls Trigate makes, as its documentation has them (`/api/v5`,
 * basic authentication with an API key, `page`, `limit` and `fields`, `meta.hasnext`, kicking in bulk).
 */
export async function startEmqxStandIn(): Promise<EmqxStandIn> {
  const sessions = new Map<string, EmqxSession>();
  const [asked, failures]: [string[], number[]] = [[], []];
  const authorization = `Basic ${Buffer.from(`${emqxKey.key}:${emqxKey.secret}`).toString('base64')}`;

  async function answer(request: IncomingMessage): Promise<[status: number, body?: unknown]> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://emqx');
    asked.push(`${request.method} ${pathname}`);
    const failure = failures.shift();
    if (failure !== undefined) return [failure, { code: 'INTERNAL_ERROR' }];
    if (request.headers.authorization !== authorization) return [401, { code: 'BAD_API_KEY_OR_SECRET' }];
    const call = `${request.method} ${pathname}`;
    if (call === 'GET /api/v5/clients') return page(searchParams);
    if (call === 'POST /api/v5/clients/kickout/bulk') return kick(JSON.parse(await text(request)));
    return [404, { code: 'NOT_FOUND' }];
  }

  function page(query: URLSearchParams): [number, unknown] {
    const [at, limit] = [Number(query.get('page') ?? 1), Number(query.get('limit') ?? 100)];
    if (limit > maxLimit || limit < 1 || at < 1) return [400, { code: 'INVALID_PARAMETER' }];
    const fields = query.get('fields')?.split(',');
    const rows = [...sessions.values()].slice((at - 1) * limit, at * limit).map((session) => {
      const shown = { ...session, connected: true };
      return fields ? Object.fromEntries(Object.entries(shown).filter(([name]) => fields.includes(name))) : shown;
    });
    return [200, { data: rows, meta: { page: at, limit, count: sessions.size, hasnext: at * limit < sessions.size } }];
  }

  function kick(clientIds: string[]): [number] {
    for (const id of clientIds) sessions.delete(id);
    return [204];
  }

  const server = createServer(async (request, response) => {
    const [status, body] = await answer(request);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sessions,
    asked,
    failures,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function text(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}
