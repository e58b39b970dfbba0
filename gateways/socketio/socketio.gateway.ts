import type { Server as HttpServer } from 'node:http';
import { Server, type Socket } from 'socket.io';
import { Failure } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import type { Config } from '../../shared/runtime/config.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { clientAddress } from '../core/address.ts';
import type { Authenticator, Dispatcher } from '../core/dispatch.types.ts';
import { perMinute } from '../core/limits.ts';
import type { GatewayMetrics } from '../core/metrics.ts';
import { corsOptions, isAllowedOrigin } from '../core/origins.ts';
import { presenceReporter } from '../core/presence.reporter.ts';
import { readToken } from './codec.ts';
import type { Dialect } from './dialects/dialect.ts';
import { requestsDialect } from './dialects/requests.dialect.ts';
import { broadcastEvent, roleRoom, userRoom } from './events.ts';
import { socketMetrics } from './metrics.ts';
import { rechecker } from './recheck.ts';
import { Session } from './session.ts';

export interface SocketioDeps {
  /** The server whose port is shared. */
  server: HttpServer;
  /** Unique name of this process. */
  name: string;
  config: Pick<Config, 'corsOrigins' | 'trustProxy' | 'rateLimitConnections' | 'rateLimitMessages'>;
  dispatcher: Dispatcher;
  authenticator: Authenticator;
  bus: Bus;
  metrics: GatewayMetrics;
  log: Log;
}

const dialects: readonly Dialect[] = [requestsDialect];
/** Room beyond the 1 MB of a payload for the envelope around it; the engine closes on larger messages. */
const maxMessageBytes = 1_048_576 + 16_384;
/** Milliseconds for the answers of what runs: where the user was revoked (who logs out is told so), and in a drain. */
const revokedGraceMs = 1_000;
const drainMs = 11_000;

export async function startSocketioGateway(deps: SocketioDeps): Promise<{ stop(): Promise<void> }> {
  const { config, bus, authenticator, log } = deps;
  const allowed = corsOptions(config.corsOrigins);
  const io = new Server(deps.server, {
    serveClient: false,
    allowEIO3: true,
    maxHttpBufferSize: maxMessageBytes,
    connectTimeout: 10_000,
    allowRequest: (request, answer) => answer(null, isAllowedOrigin(request, config.corsOrigins)),
    ...(allowed && { cors: allowed }),
  });
  const metrics = socketMetrics(deps.metrics.registry);
  const presence = await presenceReporter(deps.name, bus);
  const sessions = new Map<string, Session>();
  io.use(handshake(deps, metrics.refused));
  io.on('connection', (socket) => {
    const session = new Session(socket, socket.data.identity, authenticator, config.rateLimitMessages);
    sessions.set(socket.id, session);
    delete socket.data.identity;
    const { id, username, email, roles } = session.principal;
    socket.join([userRoom(id), ...roles.map(roleRoom)]);
    // A revocation between the handshake and this would have found no socket to end.
    session.currentPrincipal().catch(() => socket.disconnect(true));
    metrics.connected(socket.conn.transport.name);
    presence.joined({
      id: socket.id,
      protocol: 'socketio',
      user: { id, username, email },
      since: new Date().toISOString(),
    });
    socket.on('disconnect', () => {
      session.close();
      sessions.delete(socket.id);
      metrics.disconnected();
      presence.left(socket.id);
    });
    const packet = (direction: 'in' | 'out') => deps.metrics.packet('socketio', direction);
    for (const dialect of dialects) dialect({ session, dispatcher: deps.dispatcher, packet });
  });
  authenticator.onRevoked((userId) => {
    for (const id of io.sockets.adapter.rooms.get(userRoom(userId)) ?? []) sessions.get(id)?.end(revokedGraceMs);
  });
  bus.onGap(rechecker(sessions, revokedGraceMs));

  const events = await bus.follow({}, async (envelope) => {
    broadcastEvent(io, envelope);
    deps.metrics.event(envelope.body.domain, envelope.body.event);
  });
  log.info({ gateway: deps.name }, 'Socket.IO gateway started');
  return {
    async stop() {
      await events.stop();
      io.local.emit('system:reconnect_status', { attempt: 1, delay: 1_000, timestamp: new Date().toISOString() });
      await Promise.all([...sessions.values()].map((session) => session.end(drainMs)));
      await presence.stop();
      // Not io.close(): it would close the server, which is its owner's.
      io.engine.close();
    },
  };
}

/** Lets a connection in, or refuses it with `connect_error`, whose `data` is {code, message}. */
function handshake({ config, authenticator }: SocketioDeps, refused: (transport: string) => void) {
  const connections = perMinute(config.rateLimitConnections, 'connections');
  return async (socket: Socket, next: (error?: Error) => void) => {
    try {
      await connections.take(clientAddress(socket.request, config.trustProxy));
      const token = readToken(socket.handshake);
      const principal = token === undefined ? authenticator.nobody() : await authenticator.bearer(token);
      if (principal.kind === 'anonymous') throw new Failure('UNAUTHORIZED', 'A token is needed');
      socket.data.identity = { principal, token };
      next();
    } catch (error) {
      const { type, message, data } = toFailure(error);
      refused(socket.conn.transport.name);
      next(Object.assign(new Error(message), { data: { code: type, message, ...data } }));
    }
  };
}
