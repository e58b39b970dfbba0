import { type HttpRoute, httpRoutes } from '../../shared/contracts/derive/http.ts';
import { contracts } from '../../shared/contracts/index.ts';

export interface CliRequest {
  url: string;
  token: string | undefined;
  module: string;
  command: string;
  /** An entity, a payload, or an entity and a payload. */
  arguments: readonly (string | undefined)[];
}

const timeoutMs = 15_000;

/** Sends a command over HTTP by its contract. Resolves to the result, or to one line that says what went wrong. */
export async function callCommand(request: CliRequest): Promise<{ result: unknown } | { problem: string }> {
  const route = httpRoutes(contracts).find(
    ({ module, command }) => module === request.module && command === request.command,
  );
  if (!route) return { problem: `there is no command ${request.command} in a module ${request.module}` };
  const read = readArguments(route, request.arguments);
  if ('problem' in read) return read;
  try {
    return await send(request, route, read.entity, read.payload);
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error };
    return { problem: `${request.url}: ${cause?.message || message}` };
  }
}

function readArguments(
  route: HttpRoute,
  given: readonly (string | undefined)[],
): { entity?: string; payload?: unknown } | { problem: string } {
  const values = given.filter((value) => value !== undefined);
  const entity = route.entityFrom === 'path' ? values.shift() : undefined;
  if (route.entityFrom === 'path' && entity === undefined) return { problem: `${route.command} needs an entity` };
  const [json, ...surplus] = values;
  if (surplus.length > 0) return { problem: `${route.module} ${route.command} takes no entity` };
  try {
    return { ...(entity !== undefined && { entity }), ...(json !== undefined && { payload: JSON.parse(json) }) };
  } catch {
    return { problem: 'the payload is not JSON' };
  }
}

async function send(
  { url, token }: CliRequest,
  route: HttpRoute,
  entity: string | undefined,
  payload: unknown,
): Promise<{ result: unknown } | { problem: string }> {
  const target = new URL(route.path.replace('{id}', encodeURIComponent(entity ?? '')), url);
  const inQuery = route.payloadFrom === 'query' && typeof payload === 'object' && payload !== null;
  if (inQuery) {
    for (const [key, value] of Object.entries(payload)) {
      target.searchParams.set(key, typeof value === 'string' ? value : JSON.stringify(value));
    }
  }
  const response = await fetch(target, {
    method: route.method,
    headers: {
      ...(token && (token.startsWith('tg_') ? { 'x-api-key': token } : { authorization: `Bearer ${token}` })),
      ...(payload !== undefined && !inQuery && { 'content-type': 'application/json' }),
    },
    ...(payload !== undefined && !inQuery && { body: JSON.stringify(payload) }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  const body: unknown = text === '' ? undefined : JSON.parse(text);
  if (response.ok) return { result: body };
  const { error, code } = body as { error: string; code: string };
  return { problem: `${code}: ${error}` };
}
