import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Call, Failure } from '../../shared/contracts/index.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import { readBody, readJsonBody, serverBodyMs } from './body.ts';
import { requestIdOf } from './commands.ts';
import { securityHeaders, writeFailure, writeResult } from './reply.ts';

interface Routed extends IncomingMessage {
  /** Before moleculer-web took its route's part away. */
  originalUrl?: string;
  /** What moleculer-web found in the path. */
  $params?: Record<string, unknown>;
}
type Handler = (request: Routed, response: ServerResponse, requestId: string) => Promise<void>;

/**
 * What media servers ask and tell. Nobody else has the signatures in these addresses; the services check them, before
 * anything of a body is read.
 *
 * - `POST /api/media/auth?…`: whether somebody may read or publish; 204, or 401 and the like
 * - `POST /api/media/hooks/<event>?…`: what happened on a path
 * - `POST /api/media/whep/<feed>`: WHEP (draft-ietf-wish-whep, 4.2) with an offer that holds its candidates; OPTIONS
 *   allows no PATCH, so nobody trickles
 */
export function mediaHooks(call: Call): Record<string, unknown> {
  const handled = (handler: Handler) => async (request: Routed, response: ServerResponse) => {
    const requestId = requestIdOf(request);
    try {
      await handler(request, response, requestId);
    } catch (error) {
      writeFailure(response, requestId, toFailure(error));
    }
  };

  const auth: Handler = async (request, response, requestId) => {
    const query = queryOf(request);
    await call('streams.vouch', { payload: { query } });
    const attempt = (await readJsonBody(request, { withinMs: serverBodyMs })) as never;
    await call('streams.authorize', { payload: { query, attempt } });
    writeResult(response, 204, requestId, undefined);
  };

  const hook: Handler = async (request, response, requestId) => {
    const event = String(request.$params?.event ?? '');
    await call('streams.hook', { payload: { event, query: queryOf(request) } });
    writeResult(response, 204, requestId, undefined);
  };

  const whep: Handler = async (request, response) => {
    const feed = feedOf(request);
    const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
    await call('streams.vouch', { payload: { feed, bearer } });
    if (!/^application\/sdp\b/i.test(request.headers['content-type'] ?? '')) {
      throw new Failure('UNSUPPORTED_MEDIA_TYPE', 'An offer is application/sdp');
    }
    const offer = (await readBody(request, serverBodyMs)).toString('utf8');
    const { sdp } = await call('streams.offer', { payload: { feed, bearer, sdp: offer } });
    response.writeHead(201, [
      ...securityHeaders,
      ...['content-type', 'application/sdp', 'content-length', String(Buffer.byteLength(sdp))],
      ...['location', `/api/media/whep/${feed}`],
    ]);
    response.end(sdp);
  };

  /** The owner of the camera ends the session when nobody needs it: a DELETE has nothing to do. */
  const whepMethods: Record<string, Handler> = {
    POST: whep,
    OPTIONS: empty(204, ['access-control-allow-methods', 'OPTIONS, POST, DELETE']),
    DELETE: empty(200),
  };

  return {
    'POST /api/media/auth': handled(auth),
    'POST /api/media/hooks/:event': handled(hook),
    // moleculer-web finds an OPTIONS request only where the method is left open.
    '/api/media/whep/*feed': handled(async (request, response, requestId) => {
      const handler = whepMethods[request.method ?? ''];
      if (!handler) throw new Failure('METHOD_NOT_ALLOWED');
      await handler(request, response, requestId);
    }),
  };
}

const empty =
  (status: number, headers: string[] = []): Handler =>
  async (_request, response) => {
    response.writeHead(status, [...securityHeaders, ...headers]).end();
  };

const urlOf = (request: Routed): string => request.originalUrl ?? request.url ?? '';

function queryOf(request: Routed): string {
  const url = urlOf(request);
  return url.includes('?') ? url.slice(url.indexOf('?') + 1) : '';
}

function feedOf(request: Routed): string {
  const [path = ''] = urlOf(request).split('?', 1);
  return path.replace(/^\/api\/media\/whep\//, '');
}
