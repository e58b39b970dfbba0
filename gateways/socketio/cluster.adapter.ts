import type { IncomingMessage } from 'node:http';
import type { NatsConnection } from 'nats';
import type { ServerOptions } from 'socket.io';
import { createAdapter } from '../../shared/fanout/adapter/index.ts';
import type { Config } from '../../shared/runtime/config.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Authenticator } from '../core/dispatch.types.ts';
import { readToken } from './codec.ts';
import { reached } from './reached.ts';
import type { ReturnGuard } from './return.guard.ts';

export interface ClusterDeps {
  connection: NatsConnection;
  config: Pick<Config, 'natsPrefix' | 'natsReplicas'>;
  authenticator: Authenticator;
  log: Log;
  /** Whether somebody may still be in the Socket.IO rooms that it was in. */
  mayReturn: ReturnGuard['mayReturn'];
}

/** Begins the subjects of packets; calls and the bus have their own below the same prefix. */
export const socketsPrefix = ({ natsPrefix }: Pick<Config, 'natsPrefix'>): string => `${natsPrefix}-sockets`;

/**
 * The sockets of all gateways as those of one server. A session is restored for its own user only, whose token is
 * looked at before anything of it is sent: the middlewares of Socket.IO come later.
 */
export function clusterAdapter({
  connection,
  config,
  authenticator,
  log,
  mayReturn,
}: ClusterDeps): ServerOptions['adapter'] {
  return createAdapter(connection, {
    prefix: socketsPrefix(config),
    log,
    onCut: (reason) => log.warn({ reason }, 'a client that did not read was cut'),
    recovery: {
      namespaces: ['/'],
      replicas: config.natsReplicas,
      async authorizeRestore({ data, rooms }, { request, auth }) {
        const { headers, _query: query } = request as IncomingMessage & { _query?: Record<string, unknown> };
        const token = readToken({ auth, headers, query: query ?? {} });
        try {
          const principal =
            token === undefined ? authenticator.nobody() : await reached(() => authenticator.bearer(token));
          if (principal.kind === 'anonymous' || principal.id !== (data as { owner?: string }).owner) return false;
          return await mayReturn(principal, rooms);
        } catch {
          // Also where nobody can say. Whoever may not come in at all is told so by the handshake.
          return false;
        }
      },
    },
  }) as ServerOptions['adapter'];
}
