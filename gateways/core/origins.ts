import type { IncomingMessage } from 'node:http';

/**
 * Whether a page may open a connection: one of the same origin, or one that is listed; `*` lists all. Only browsers
 * send an origin, and they ask nobody before they open a WebSocket (RFC 6455, 10.2).
 */
export function isAllowedOrigin(request: IncomingMessage, origins: readonly string[]): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || origins.includes('*') || origins.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** For the cors package and Socket.IO; undefined where only pages of the same origin may read answers. */
export function corsOptions(origins: readonly string[]) {
  if (origins.length === 0) return undefined;
  // A browser sends no credentials to whoever lets everybody in, and we need none: tokens travel in a header.
  return origins.includes('*') ? { origin: '*' } : { origin: [...origins], credentials: true };
}
