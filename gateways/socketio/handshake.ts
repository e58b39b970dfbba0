import type { Socket } from 'socket.io';
import { Failure } from '../../shared/contracts/index.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { clientAddress } from '../core/address.ts';
import type { Authenticator } from '../core/dispatch.types.ts';
import type { Limit } from '../core/limits.ts';
import type { LimitHit, SocketsPerUser } from './bounds.ts';
import { readToken } from './codec.ts';
import { RecoveryAdapter } from './recovery.adapter.ts';
import type { ReturnGuard } from './return.guard.ts';

export type CountConnection = (socket: Socket) => Promise<void>;

/** Counts connections by address. */
export const countedBy =
  (limit: Limit, trustedProxies: number, hit: LimitHit): CountConnection =>
  async (socket) => {
    try {
      await limit.take(clientAddress(socket.request, trustedProxies));
    } catch (error) {
      hit('connections');
      throw error;
    }
  };

export interface HandshakeDeps {
  authenticator: Authenticator;
  countConnection: CountConnection;
  perUser: SocketsPerUser;
  mayReturn: ReturnGuard['mayReturn'];
  /** Counts who could not say who it is: not who hit a limit, which has a metric of its own. */
  refused(transport: string): void;
}

/** Lets a connection in, or refuses it with `connect_error`, whose `data` is {code, message, retryAfter?}. */
export function handshake({ authenticator, countConnection, perUser, mayReturn, refused }: HandshakeDeps) {
  return async (socket: Socket, next: (error?: Error) => void) => {
    try {
      await countConnection(socket);
      const token = readToken(socket.handshake);
      const principal = token === undefined ? authenticator.nobody() : await authenticator.bearer(token);
      if (principal.kind === 'anonymous') throw new Failure('UNAUTHORIZED', 'A token is needed');
      if (socket.recovered) await assertSession(socket, principal, mayReturn);
      perUser.enter(principal.id, socket.id, socket.recovered);
      socket.data.identity = { principal, token };
      next();
    } catch (error) {
      const { type, message, data } = toFailure(error);
      if (type === 'UNAUTHORIZED') refused(socket.conn.transport.name);
      next(Object.assign(new Error(message), { data: { code: type, message, ...data } }));
    }
  };
}

/**
 * A session is recovered by its own user only, who may still be in its rooms; else its client begins anew. Over several
 * gateways their adapter has seen to that before. @throws Failure where that cannot be
 */
async function assertSession(socket: Socket, principal: Principal, mayReturn: HandshakeDeps['mayReturn']) {
  const { adapter, data } = { adapter: socket.nsp.adapter, data: socket.data };
  const own = data.owner === principal.id;
  if (!(adapter instanceof RecoveryAdapter)) {
    if (!own) throw new Failure('UNAUTHORIZED', 'This session is of another user');
  } else if (!own || !(await mayReturn(principal, socket.rooms).catch(() => false))) adapter.forget(socket);
}
