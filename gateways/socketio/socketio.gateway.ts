import { setTimeout as pause } from 'node:timers/promises';
import { Server, type Socket } from 'socket.io';
import { Failure } from '../../shared/contracts/index.ts';
import type { Fanout } from '../../shared/fanout/fanout.ts';
import { type SocketsAnswer, type SocketsAsk, socketsTopics } from '../../shared/fanout/sockets.notices.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { clientAddress } from '../core/address.ts';
import { perMinute } from '../core/limits.ts';
import { corsOptions, isAllowedOrigin } from '../core/origins.ts';
import { readToken } from './codec.ts';
import { connection, returnedEvent } from './connection.ts';
import { boundedParser, engineBytes } from './decoder.ts';
import { Departures } from './departures.ts';
import type { SocketioDeps } from './deps.ts';
import type { Dialect } from './dialects/dialect.ts';
import { requestsDialect } from './dialects/requests.dialect.ts';
import { roomsGuideDialect } from './dialects/rooms-guide.dialect.ts';
import { serverApiDialect } from './dialects/server-api.dialect.ts';
import { broadcastEvent, userRoom } from './events.ts';
import { socketioFanout, statusOf } from './fanout.ts';
import { socketMetrics } from './metrics.ts';
import { socketPresence } from './presence.ts';
import { RecoveryAdapter, recoveryMs } from './recovery.adapter.ts';
import { guardRoom } from './room.guard.ts';
import type { Session } from './session.ts';
import { reconnectStatus } from './system.events.ts';

export interface SocketioGateway {
  /** Of the cluster, as far as the adapter goes. */
  fanout: Fanout;
  stop(): Promise<void>;
}

const dialects: readonly Dialect[] = [requestsDialect, serverApiDialect, roomsGuideDialect];
/** Milliseconds for the answers of what runs: where the user was revoked (who logs out is told so), and in a drain. */
const revokedGraceMs = 1_000;
const drainMs = 11_000;
/** Milliseconds for which a gateway that ends lets its last messages reach their sockets. */
const flushMs = 1_000;

export async function startSocketioGateway(deps: SocketioDeps): Promise<SocketioGateway> {
  const { bus, log, authenticator } = deps;
  const io = createServer(deps);
  const metrics = socketMetrics(deps.metrics.registry);
  const presence = await socketPresence({ ...deps, io });
  const fanout = socketioFanout(io, log);
  const departures = new Departures(fanout, deps.recovery ? recoveryMs : 0);
  io.use(handshake(deps, metrics.refused));
  const sessions = new Map<string, Session>();
  const parts = { ...deps, io, fanout, departures, sessions };
  io.on('connection', connection({ ...parts, presence, counts: metrics, dialects }));
  io.on(returnedEvent as never, (socketId: string) => departures.returned(socketId));
  authenticator.onRevoked((userId) => {
    const ids = io.of('/').adapter.rooms.get(userRoom(userId)) ?? [];
    for (const id of [...ids]) void sessions.get(id)?.end(revokedGraceMs);
  });

  const asked = await bus.listen(socketsTopics.ask, (data) => {
    const answer: SocketsAnswer = { ...(data as SocketsAsk), ...statusOf(io) };
    if (answer.connections > 0) bus.notify(socketsTopics.answer, answer);
  });
  let guarding: Promise<void> = Promise.resolve();
  const events = await bus.follow({}, async (envelope) => {
    if (envelope.hearers.kind === 'services') return;
    broadcastEvent(io, envelope);
    presence.heard(envelope);
    // Not waited for: the events after it are not about who may hear this room.
    guarding = guarding.then(() => guardRoom(envelope, parts));
    deps.metrics.event(envelope.body.domain, envelope.body.event);
  });
  log.info({ gateway: deps.name }, 'Socket.IO gateway started');
  return {
    fanout,
    async stop() {
      await Promise.all([events.stop(), asked.stop()]);
      io.local.emit('system:reconnect_status', reconnectStatus());
      await Promise.all([...sessions.values()].map((session) => session.idle(drainMs)));
      await endConnections(io);
      departures.close();
      await fanout.close();
      await presence.stop();
    },
  };
}

function createServer({ server, config, adapter, recovery }: SocketioDeps): Server {
  const allowed = corsOptions(config.corsOrigins);
  const chosen = adapter ?? (recovery ? RecoveryAdapter : undefined);
  return new Server(server, {
    serveClient: false,
    allowEIO3: true,
    parser: boundedParser,
    maxHttpBufferSize: engineBytes,
    connectTimeout: 10_000,
    allowRequest: (request, answer) => answer(null, isAllowedOrigin(request, config.corsOrigins)),
    ...(allowed && { cors: allowed }),
    ...(chosen && { adapter: chosen }),
    // The token is looked at again: it may have been revoked meanwhile.
    ...(recovery && { connectionStateRecovery: { maxDisconnectionDuration: recoveryMs, skipMiddlewares: false } }),
  });
}

/** Ends the transports, not the sessions: a client told that the server disconnected it would not come back. */
async function endConnections(io: Server): Promise<void> {
  const deadline = Date.now() + flushMs;
  for (const socket of io.of('/').sockets.values()) socket.conn.close();
  while (io.engine.clientsCount > 0 && Date.now() < deadline) await pause(20);
  // Not io.close(): it would close the server, which is its owner's.
  io.engine.close();
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
      if (socket.recovered) assertOwner(socket, principal);
      socket.data.identity = { principal, token };
      next();
    } catch (error) {
      const { type, message, data } = toFailure(error);
      refused(socket.conn.transport.name);
      next(Object.assign(new Error(message), { data: { code: type, message, ...data } }));
    }
  };
}

/** A session is recovered by its own user only; anybody else begins anew. @throws Failure where that cannot be */
function assertOwner(socket: Socket, { id }: Principal): void {
  if (socket.data.owner === id) return;
  const { adapter } = socket.nsp;
  if (!(adapter instanceof RecoveryAdapter)) throw new Failure('UNAUTHORIZED', 'This session is of another user');
  adapter.forget(socket);
}
