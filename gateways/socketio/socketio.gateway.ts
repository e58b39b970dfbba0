import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { Server } from 'socket.io';
import { NatsAdapter } from '../../shared/fanout/adapter/index.ts';
import { type Fanout, socketRoom } from '../../shared/fanout/fanout.ts';
import { type SocketsAnswer, type SocketsAsk, socketsTopics } from '../../shared/fanout/sockets.notices.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { Changes } from '../core/changes.ts';
import { keepTrying } from '../core/keep.trying.ts';
import { perMinuteOfAll } from '../core/limits.ts';
import { corsOptions, isAllowedOrigin } from '../core/origins.ts';
import { serveAdminUi } from './admin/namespace.ts';
import { boundFloods, boundReaders, type LimitHit, limitHits, SocketsPerUser } from './bounds.ts';
import { connection, returnedEvent, takeAudiences } from './connection.ts';
import { boundedParser, engineBytes } from './decoder.ts';
import { Departures } from './departures.ts';
import type { SocketioDeps } from './deps.ts';
import type { Dialect } from './dialects/dialect.ts';
import { requestsDialect } from './dialects/requests.dialect.ts';
import { roomsGuideDialect } from './dialects/rooms-guide.dialect.ts';
import { serverApiDialect } from './dialects/server-api.dialect.ts';
import { nothingElsewhere, socketsElsewhere } from './elsewhere.ts';
import { broadcastEvent, userRoom } from './events.ts';
import { socketioFanout, statusOf } from './fanout.ts';
import { countedBy, handshake } from './handshake.ts';
import { boundHandshakes, sessionsPerConnection } from './handshakes.ts';
import { socketMetrics, unreadBytes } from './metrics.ts';
import { emitOnce } from './once.ts';
import { Orphans } from './orphans.ts';
import { socketPresence } from './presence.ts';
import { recoveryAdapter, recoveryMs } from './recovery.adapter.ts';
import { Renames } from './renames.ts';
import { ReturnGuard } from './return.guard.ts';
import { guardRoom, guardSession, noteRoom } from './room.guard.ts';
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
  const { bus, log, authenticator, config } = deps;
  const limitHit = limitHits(deps.metrics);
  const guard = new ReturnGuard(deps.callAs);
  const mayReturn: ReturnGuard['mayReturn'] = (principal, rooms) => guard.mayReturn(principal, rooms);
  const io = createServer(deps, mayReturn, limitHit);
  boundReaders(io, limitHit, log);
  boundFloods(io, config.rateLimitMessages, limitHit, log);
  // In one process the server listens already: nobody gets in before everything is there.
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  io.use((_socket, next) => void opened.then(() => next()));
  const metrics = socketMetrics(deps.metrics.registry);
  unreadBytes(deps.metrics.registry, io);
  const presence = await socketPresence({ ...deps, io });
  const fanout = socketioFanout(io, log);
  const departures = new Departures(fanout, deps.recovery ? recoveryMs : 0, (told, name, event, passage) =>
    emitOnce(io, told, [socketRoom({ kind: 'room', name })], event, passage),
  );
  const { adapter } = io.of('/');
  const orphans = adapter instanceof NatsAdapter ? new Orphans(adapter, departures, log) : undefined;
  const returned = (socketId: string) => {
    orphans?.returned(socketId);
    departures.returned(socketId);
  };
  const connections = await perMinuteOfAll(config.rateLimitConnections, 'socketio-connections', bus);
  const sessionLimit = config.rateLimitConnections * sessionsPerConnection;
  const begun = await perMinuteOfAll(sessionLimit, 'socketio-sessions', bus);
  boundHandshakes(io, begun, config.trustProxy, limitHit);
  const countConnection = countedBy(connections, config.trustProxy, limitHit);
  const most = config.authStrategy === 'none' ? 0 : config.socketsPerUser;
  const elsewhere = most === 0 ? nothingElsewhere : await socketsElsewhere(io, most, bus);
  const perUser = new SocketsPerUser(io, most, limitHit, elsewhere);
  io.use(handshake({ authenticator, countConnection, perUser, mayReturn, refused: metrics.refused }));
  const sessions = new Map<string, Session>();
  const renames = new Renames(io);
  const roomChanges = new Changes();
  const parts = { ...deps, io, fanout, departures, returned, renames, roomChanges, sessions, limitHit };
  io.on('connection', connection({ ...parts, presence, counts: metrics, dialects }));
  io.on(returnedEvent as never, returned);
  authenticator.onRevoked((userId, which) => {
    for (const id of [...(io.of('/').adapter.rooms.get(userRoom(userId)) ?? [])]) {
      const session = sessions.get(id);
      if (session && which(session.principal)) void session.end(revokedGraceMs);
    }
  });
  authenticator.onChanged((userId) => {
    const ids = io.of('/').adapter.rooms.get(userRoom(userId)) ?? [];
    for (const id of ids) {
      const follow = async () => {
        const session = await sessions.get(id)?.refresh();
        if (session && sessions.has(id) && takeAudiences(session)) await guardSession(session, parts);
      };
      void keepTrying(follow, userId, log);
    }
  });
  authenticator.holds(function* (): Iterable<Principal> {
    for (const { principal } of sessions.values()) yield principal;
  });

  const asked = await bus.listen(socketsTopics.ask, (data) => {
    const answer: SocketsAnswer = { ...(data as SocketsAsk), ...statusOf(io) };
    if (answer.connections > 0) bus.notify(socketsTopics.answer, answer);
  });
  let guarding: Promise<void> = Promise.resolve();
  const events = await bus.follow({}, async (envelope) => {
    if (envelope.hearers.kind === 'services') return;
    broadcastEvent(io, envelope);
    noteRoom(envelope, roomChanges);
    renames.heard(envelope);
    guard.heard(envelope);
    presence.heard(envelope);
    // Not waited for: the events after it are not about who may hear this room.
    guarding = guarding.then(() => guardRoom(envelope, parts));
    deps.metrics.event(envelope.body.domain, envelope.body.event);
  });
  const admin = config.socketioAdminUi === 'on' ? serveAdminUi({ ...deps, io, countConnection, limitHit }) : undefined;
  open();
  return {
    fanout,
    async stop() {
      await Promise.all([events.stop(), asked.stop(), connections.stop(), begun.stop()]);
      io.local.emit('system:reconnect_status', reconnectStatus());
      await Promise.all([...sessions.values()].map((session) => session.idle(drainMs)));
      admin?.stop();
      await endConnections(io);
      await elsewhere.stop();
      departures.close();
      await fanout.close();
      await presence.stop();
      await adapter.close();
    },
  };
}

function createServer(
  { server, config, adapter, recovery }: SocketioDeps,
  mayReturn: ReturnGuard['mayReturn'],
  hit: LimitHit,
): Server {
  const allowed = corsOptions(config.corsOrigins);
  const chosen = adapter?.(mayReturn) ?? (recovery ? recoveryAdapter : undefined);
  return new Server(server, {
    serveClient: false,
    allowEIO3: true,
    parser: boundedParser(() => hit('message_size')),
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
  // What was emitted in this turn of the event loop is written at its end.
  await turn();
  const deadline = Date.now() + flushMs;
  for (const socket of io.of('/').sockets.values()) socket.conn.close();
  while (io.engine.clientsCount > 0 && Date.now() < deadline) await pause(20);
  // Not io.close(): it would close the server, which is its owner's.
  io.engine.close();
}
