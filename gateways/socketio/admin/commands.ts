import type { Server } from 'socket.io';
import { z } from 'zod';
import { eventName } from '../../../shared/contracts/push.contract.ts';
import type { Log } from '../../../shared/runtime/log.ts';
import type { Session } from '../session.ts';
import { assertAdministrator } from './access.ts';

/**
 * What the Admin UI may do; the names are its own. Nobody can be put into a room: who may hear one is decided where
 * rooms are kept.
 */
export const features = ['EMIT', 'LEAVE', 'MLEAVE', 'DISCONNECT', 'MDISCONNECT'] as const;

const name = z.string().min(1).max(512);
const filter = name.nullish();
const arguments_ = {
  emit: z.tuple([z.literal('/'), filter, eventName]).rest(z.unknown()),
  leave: z.tuple([z.literal('/'), name.startsWith('room:'), filter]),
  _disconnect: z.tuple([z.literal('/'), z.boolean(), filter]),
};

/** Carries out what an administrator asks of the sockets of all gateways; what is malformed is not answered. */
export function serveCommands(io: Server, session: Session, log: Log): void {
  const on = <K extends keyof typeof arguments_>(event: K, act: (given: z.output<(typeof arguments_)[K]>) => void) =>
    session.on(event, async (refused, ...given) => {
      try {
        if (refused) throw refused;
        await session.within(async () => {
          const principal = await session.currentPrincipal();
          assertAdministrator(principal);
          // An argument that is left out does not arrive at all.
          const padded = event === 'emit' ? given : [...given, ...Array(3 - Math.min(3, given.length)).fill(undefined)];
          act(arguments_[event].parse(padded) as z.output<(typeof arguments_)[K]>);
          log.info({ event, administrator: principal.id }, 'an administrator acted on sockets');
        });
      } catch (error) {
        log.warn({ event, err: error }, 'what the Admin UI asked for was not done');
      }
    });
  const among = (room: string | null | undefined) => (room ? io.in(room) : io.of('/'));

  on('emit', ([, room, event, ...args]) => void among(room).emit(event, ...args));
  on('leave', ([, room, of]) => among(of).socketsLeave(room));
  on('_disconnect', ([, close, of]) => among(of).disconnectSockets(close));
}
