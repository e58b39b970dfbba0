import type { IncomingMessage } from 'node:http';

/**
 * The client's address: the peer's, or, behind so many trusted proxies, what the outermost of them saw. Anything a
 * client put into X-Forwarded-For itself lies further left and is not believed.
 */
export function clientAddress(request: IncomingMessage, trustedProxies: number): string {
  const peer = request.socket.remoteAddress ?? '';
  const forwarded = request.headers['x-forwarded-for'];
  if (trustedProxies === 0 || forwarded === undefined) return peer;
  const hops = String(forwarded)
    .split(',')
    .map((hop) => hop.trim());
  return hops[Math.max(0, hops.length - trustedProxies)] || peer;
}
