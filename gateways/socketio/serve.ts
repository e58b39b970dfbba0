import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { DialectContract } from '../../shared/contracts/dialects/dialect.ts';
import type { Failure } from '../../shared/contracts/index.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { isRequestId } from '../core/envelope.ts';
import { TooLarge } from './decoder.ts';
import type { DialectContext } from './dialects/dialect.ts';
import { emitHere } from './emit.ts';
import { readPayload } from './payload.ts';

/** What an event is answered with: on `event`, where there is one, and to an acknowledgement. No body: none is given. */
export interface Answer {
  event?: string;
  body?: unknown;
}

export interface Asked {
  principal: Principal;
  /** The client's own where it sent one. */
  requestId: string;
  /** Whether the client waits for an acknowledgement. */
  acked: boolean;
}

export interface Handler<P> {
  /** Runs beside the events after it; without, the events of a connection are handled one after the other. */
  beside?: true;
  /** Whether keys may begin with `$`: what is passed on and not stored. */
  allowDollar?(argument: unknown): boolean;
  act(payload: P, asked: Asked): Answer | Promise<Answer>;
}

export type Handlers<D extends DialectContract> = {
  [E in keyof D['receives']]: Handler<z.output<D['receives'][E]['payload']>>;
};

export interface Refusing {
  /** Called before an event is handled. @throws Failure */
  admit?(event: string): void;
  /** What a client is told of a failure; `requestId` where it sent one. */
  refuse(event: string, failure: Failure, requestId: string | undefined): Required<Answer>;
}

type Ack = (...args: unknown[]) => void;
type AnyHandler = Handler<Record<string, unknown>>;

/** Listens for the events of a dialect: parse, act, answer. */
export function serveDialect<D extends DialectContract>(
  context: DialectContext,
  contract: D,
  handlers: Handlers<D>,
  refusing: Refusing,
): void {
  const { session } = context;
  for (const [event, { payload }] of Object.entries(contract.receives)) {
    const handler = (handlers as unknown as Record<string, AnyHandler>)[event];
    if (!handler) throw new Error(`no handler for ${event}`);
    session.on(event, async (refused, ...args) => {
      context.packet('in');
      const ack = typeof args.at(-1) === 'function' ? (args.pop() as Ack) : undefined;
      const one = { event, schema: payload, handler, argument: args[0], acked: ack !== undefined, refused };
      const answer = await handle(context, one, refusing);
      if (answer.event !== undefined) {
        context.packet('out');
        emitHere(session.socket, answer.event, answer.body);
      }
      if (answer.body === undefined) ack?.();
      else ack?.(answer.body);
    });
  }
}

interface One {
  event: string;
  schema: z.ZodObject;
  handler: AnyHandler;
  argument: unknown;
  acked: boolean;
  /** Not to be acted on: there were too many. */
  refused: Failure | undefined;
}

/** Never throws. */
async function handle({ session, log }: DialectContext, one: One, refusing: Refusing): Promise<Answer> {
  const { event, handler, argument, acked, refused } = one;
  const own = requestIdOf(argument);
  try {
    if (refused) throw refused;
    return await session.within(() =>
      session
        .inTurn(async () => {
          refusing.admit?.(event);
          const payload = readPayload(one.schema, argument, handler.allowDollar?.(argument) === true);
          const principal = await session.currentPrincipal();
          const acting = Promise.resolve(handler.act(payload, { principal, requestId: own ?? randomUUID(), acked }));
          // Wrapped, as a promise that is returned bare would be waited for.
          return { rest: handler.beside ? acting : Promise.resolve(await acting) };
        })
        .then(({ rest }) => rest),
    );
  } catch (error) {
    const failure = toFailure(error);
    if (failure.type === 'INTERNAL_SERVER_ERROR') log.error({ err: failure.cause ?? error, event }, 'an event failed');
    return refusing.refuse(event, failure, own);
  }
}

function requestIdOf(argument: unknown): string | undefined {
  const value = argument instanceof TooLarge ? argument.argument : argument;
  const { requestId } = (typeof value === 'object' && value !== null ? value : {}) as { requestId?: unknown };
  // No event is named by it here, so whatever HTTP takes will do.
  return isRequestId(requestId, 'http') ? requestId : undefined;
}
