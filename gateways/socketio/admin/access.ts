import { randomUUID } from 'node:crypto';
import type { Socket } from 'socket.io';
import { z } from 'zod';
import { Failure } from '../../../shared/contracts/index.ts';
import { toFailure } from '../../../shared/runtime/failure.ts';
import { anonymous, type Principal } from '../../../shared/runtime/principal.ts';
import type { Authenticator, Dispatcher } from '../../core/dispatch.types.ts';
import { readToken } from '../codec.ts';
import type { CountConnection } from '../handshake.ts';

export interface AccessDeps {
  authenticator: Authenticator;
  dispatcher: Dispatcher;
  countConnection: CountConnection;
}

export interface Admission {
  principal: Principal;
  token: string | undefined;
}

/** The words on which the Admin UI shows its form again. */
const invalidCredentials = 'invalid credentials';

/** What the Admin UI sends: the form's fields, or, when it comes back, what it was given as `session`. */
const form = z.object({
  username: z.string().min(1).max(255),
  password: z.string().min(1).max(255),
});
const session = z.object({ sessionId: z.string().min(1).max(8_192) });

/**
 * Lets administrators in: with a bearer, as everywhere, or with their name and password; the session that the Admin UI
 * keeps is their bearer, so it ends as every token does and is known to all gateways.
 */
export function adminHandshake({ authenticator, dispatcher, countConnection }: AccessDeps) {
  async function tokenOf(socket: Socket): Promise<string | undefined> {
    const { auth } = socket.handshake;
    const kept = session.safeParse(auth);
    if (kept.success) return kept.data.sessionId;
    const filled = form.safeParse(auth);
    if (!filled.success) return readToken(socket.handshake);
    const request = { module: 'auth', command: 'create', requestId: randomUUID(), payload: filled.data };
    return ((await dispatcher.dispatch(request, anonymous, 'socketio')) as { bearer: string }).bearer;
  }

  return async (socket: Socket, next: (error?: Error) => void): Promise<void> => {
    try {
      await countConnection(socket);
      const token = await tokenOf(socket);
      const principal = token === undefined ? authenticator.nobody() : await authenticator.bearer(token);
      if (principal.kind === 'anonymous') throw new Failure('UNAUTHORIZED', 'A token is needed');
      assertAdministrator(principal);
      socket.data.identity = { principal, token } satisfies Admission;
      next();
    } catch (error) {
      const { type, message, data } = toFailure(error);
      const said = type === 'UNAUTHORIZED' ? invalidCredentials : message;
      next(Object.assign(new Error(said), { data: { code: type, message, ...data } }));
    }
  };
}

/** @throws Failure FORBIDDEN */
export function assertAdministrator({ roles }: Principal): void {
  if (!roles.includes('admin')) throw new Failure('FORBIDDEN', 'Only administrators may see the sockets');
}
