import { hostname } from 'node:os';
import type { Namespace, Server, Socket } from 'socket.io';
import type { Log } from '../../../shared/runtime/log.ts';
import type { Principal } from '../../../shared/runtime/principal.ts';
import { keepTrying } from '../../core/keep.trying.ts';
import type { LimitHit } from '../bounds.ts';
import { othersOf } from '../others.ts';
import { Session } from '../session.ts';
import { type AccessDeps, type Admission, adminHandshake } from './access.ts';
import { features, serveCommands } from './commands.ts';
import { fitting, type ShownSocket, shownSocket, socketsHere } from './sockets.ts';
import { Traffic } from './traffic.ts';

export interface AdminDeps extends AccessDeps {
  io: Server;
  /** Unique name of this process. */
  name: string;
  config: { trustProxy: number; rateLimitMessages: number };
  limitHit: LimitHit;
  log: Log;
}

export interface AdminUi {
  stop(): void;
}

const name = '/admin';
const namespaces = ['/', name];
const statsEveryMs = 2_000;
const revokedGraceMs = 1_000;
/** Gateways ask each other for their sockets. */
const socketsEvent = 'trigate:admin-sockets';

/**
 * The server side of Socket.IO's Admin UI: each gateway tells of itself, and the adapter brings it to the
 * administrators, whichever gateway they are at. What clients send and are sent is not shown: there are passwords in it.
 */
export function serveAdminUi(deps: AdminDeps): AdminUi {
  const { io, config, authenticator } = deps;
  const nsp = io.of(name);
  const sessions = new Map<string, Session>();
  const traffic = new Traffic(io);
  const here = () => fitting(socketsHere(io, namespaces, config.trustProxy));
  const answer = (reply: (sockets: ShownSocket[]) => void) => reply(here());
  (io as unknown as NodeJS.EventEmitter).on(socketsEvent, answer);

  nsp.use(adminHandshake(deps));
  nsp.on('connection', (socket: Socket) => {
    const { principal, token } = socket.data.identity as Admission;
    const session = new Session(socket, { principal, token }, authenticator, config.rateLimitMessages, deps.limitHit);
    socket.data = { owner: principal.id };
    if (authenticator.wasRevoked(principal)) {
      session.close();
      socket.disconnect(true);
      return;
    }
    sessions.set(socket.id, session);
    socket.on('disconnect', () => {
      session.close();
      sessions.delete(socket.id);
    });
    if (token !== undefined) socket.emit('session', token);
    // With all events it shows sockets and rooms at all.
    socket.emit('config', { supportedFeatures: [...features, 'AGGREGATED_EVENTS', 'ALL_EVENTS'] });
    serveCommands(io, session, deps.log);
    void othersOf(io)(socketsEvent).then((others) =>
      socket.emit('all_sockets', fitting([...here(), ...(others as ShownSocket[][]).flat()])),
    );
  });
  authenticator.holds(function* (): Iterable<Principal> {
    for (const { principal } of sessions.values()) yield principal;
  });
  authenticator.onRevoked((userId, which) => {
    for (const session of sessions.values()) {
      if (session.principal.id === userId && which(session.principal)) void session.end(revokedGraceMs);
    }
  });
  authenticator.onChanged((userId) => {
    for (const session of sessions.values()) {
      if (session.principal.id === userId) void keepTrying(() => stayWithRole(session), userId, deps.log);
    }
  });
  for (const each of namespaces) tellOf(io.of(each), nsp, config.trustProxy);
  const timer = setInterval(() => tellStats(deps, nsp, traffic), statsEveryMs);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
      (io as unknown as NodeJS.EventEmitter).off(socketsEvent, answer);
      for (const { socket } of sessions.values()) socket.conn.close();
    },
  };
}

/** Who is no administrator any more hears nothing more. @throws Failure where nobody can say */
async function stayWithRole(session: Session): Promise<void> {
  const { principal } = await session.refresh();
  if (!principal.roles.includes('admin')) await session.end(revokedGraceMs);
}

/** Tells the administrators who comes, goes, joins and leaves in a namespace. */
function tellOf(watched: Namespace, admins: Namespace, trustedProxies: number): void {
  const nsp = watched.name;
  watched.on('connection', (socket: Socket) => {
    if (!socket.connected) return;
    admins.emit('socket_connected', shownSocket(socket, trustedProxies), new Date());
    socket.conn.on('upgrade', ({ name: transport }: { name: string }) => {
      admins.emit('socket_updated', { id: socket.id, nsp, transport });
    });
    socket.on('disconnect', (reason) => {
      admins.emit('socket_disconnected', nsp, socket.id, reason, new Date());
    });
  });
  watched.adapter.on('join-room', (room: string, id: string) => {
    admins.emit('room_joined', nsp, room, id, new Date());
  });
  watched.adapter.on('leave-room', (room: string, id: string) => {
    // Not while the adapter is at its rooms.
    process.nextTick(() => admins.emit('room_left', nsp, room, id, new Date()));
  });
}

function tellStats({ io, name: serverId }: AdminDeps, admins: Namespace, traffic: Traffic): void {
  admins.emit('server_stats', {
    serverId,
    hostname: hostname(),
    pid: process.pid,
    uptime: process.uptime(),
    clientsCount: io.engine.clientsCount,
    pollingClientsCount: traffic.pollingClients,
    aggregatedEvents: traffic.taken(),
    namespaces: namespaces.map((each) => ({ name: each, socketsCount: io.of(each).sockets.size })),
  });
}
