import { setTimeout as delay } from 'node:timers/promises';
import { type ConnectionOptions, connect, ErrorCode, type NatsConnection, NatsError } from 'nats';

export interface ConnectNatsOptions {
  /** Milliseconds to try for, 30 s: the server may start later than this process. */
  timeout?: number;
}

/** User and password, or the token, of the first URL that has some: nats.js does not read them itself. */
function credentialsOf(urls: readonly URL[]): ConnectionOptions {
  const found = urls.find((url) => url.username !== '');
  if (!found) return {};
  const user = decodeURIComponent(found.username);
  return found.password === '' ? { token: user } : { user, pass: decodeURIComponent(found.password) };
}

function parse(server: string): URL {
  const url = URL.parse(server.includes('://') ? server : `nats://${server}`);
  // The URL itself may hold a password, so it is not repeated.
  if (!url?.hostname || !['nats:', 'tls:'].includes(url.protocol)) {
    throw new Error('a NATS server is given as nats://host:port or tls://host:port');
  }
  return url;
}

/**
 * Options that suit a service: a dead link is noticed within 15 s, and reconnecting never ends.
 * @param servers `nats://[user:password@]host[:port]`, or `tls://`; the credentials of the first go to all
 */
export function natsOptions(servers: readonly string[], name: string): ConnectionOptions {
  const urls = servers.map(parse);
  return {
    servers: urls.map((url) => `${url.hostname}:${url.port || 4222}`),
    name,
    ...credentialsOf(urls),
    ...(urls.some((url) => url.protocol === 'tls:') ? { tls: {} } : {}),
    // The default of two minutes hides a half-open link.
    pingInterval: 5_000,
    maxPingOut: 2,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    reconnectJitterTLS: 250,
    // A server that is being reconfigured may refuse us for a moment.
    ignoreAuthErrorAbort: true,
    timeout: 5_000,
    // A stack trace per request costs a third of the requests per second.
    noAsyncTraces: true,
  };
}

const isPermanent = (error: unknown): boolean =>
  error instanceof NatsError &&
  [ErrorCode.AuthorizationViolation, ErrorCode.InvalidOption, ErrorCode.ServerOptionNotAvailable].some(
    (code) => error.code === code,
  );

/**
 * Connects, trying again while no server can be reached.
 * @throws Error when none can be reached in time, or at once when the server refuses us
 */
export async function connectNats(
  servers: readonly string[],
  name: string,
  options: ConnectNatsOptions = {},
): Promise<NatsConnection> {
  const deadline = Date.now() + (options.timeout ?? 30_000);
  for (;;) {
    try {
      return await connect(natsOptions(servers, name));
    } catch (error) {
      if (isPermanent(error) || Date.now() >= deadline) {
        throw new Error(`NATS cannot be reached: ${(error as Error).message}`, { cause: error });
      }
    }
    await delay(Math.min(500, Math.max(0, deadline - Date.now())));
  }
}
