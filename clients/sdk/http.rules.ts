import { type CallParams, splitName } from './calls.ts';

const methods: Readonly<Record<string, string>> = {
  list: 'GET',
  create: 'POST',
  read: 'GET',
  update: 'PATCH',
  delete: 'DELETE',
};

/**
 * Where a command is over HTTP: the common ones at `/api/<module>` and `/api/<module>/<entity>`, any other is a POST
 * to `/api/<module>/<entity>/<command>`. `body` is JSON; reads and deletes carry their payload in the query.
 */
export function httpAddress(
  name: string,
  { entity, payload }: CallParams,
): { method: string; path: string; body: string | undefined } {
  const { module, command } = splitName(name);
  const common = Object.hasOwn(methods, command) ? methods[command] : undefined;
  const method = common ?? 'POST';
  const place = entity === undefined ? `/api/${module}` : `/api/${module}/${encodeURIComponent(entity)}`;
  const path = common ? place : `${place}/${command}`;
  if (method !== 'GET' && method !== 'DELETE') {
    return { method, path, body: payload === undefined ? undefined : JSON.stringify(payload) };
  }
  const query = queryOf((payload ?? {}) as Record<string, unknown>);
  return { method, path: query === '' ? path : `${path}?${query}`, body: undefined };
}

/** Texts as they are, the rest as JSON, which Trigate reads where its contract has no text. */
function queryOf(payload: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(payload)) {
    if (value !== undefined) query.set(key, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return query.toString();
}
