import type { Server as HttpServer } from 'node:http';
import type { ServerOptions } from 'socket.io';
import type { Call } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import type { Config } from '../../shared/runtime/config.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { Authenticator, Dispatcher } from '../core/dispatch.types.ts';
import type { GatewayMetrics } from '../core/metrics.ts';
import type { ReturnGuard } from './return.guard.ts';

export interface SocketioDeps {
  /** The server whose port is shared. */
  server: HttpServer;
  /** Unique name of this process. */
  name: string;
  config: Pick<
    Config,
    | 'corsOrigins'
    | 'trustProxy'
    | 'rateLimitConnections'
    | 'rateLimitMessages'
    | 'authStrategy'
    | 'presenceBroadcast'
    | 'socketioAdminUi'
    | 'socketsPerUser'
  >;
  dispatcher: Dispatcher;
  callAs(principal: Principal): Call;
  authenticator: Authenticator;
  bus: Bus;
  metrics: GatewayMetrics;
  log: Log;
  /** How gateways reach each other's sockets; without, there is this one only. */
  adapter?: (mayReturn: ReturnGuard['mayReturn']) => ServerOptions['adapter'];
  /** Whether connections that come back within two minutes find their rooms and what they missed. */
  recovery?: boolean;
}
