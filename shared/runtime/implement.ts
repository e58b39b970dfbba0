import type { Context, ServiceSchema } from 'moleculer';
import {
  type Access,
  type ActionContract,
  type Call,
  Failure,
  type ParsedOf,
  paramsSchema,
  type ResultOf,
  type ServiceContract,
} from '../contracts/index.ts';
import { toFailure } from './failure.ts';
import type { Log } from './log.ts';
import type { Principal } from './principal.ts';
import { anonymous } from './principal.ts';

export interface CallMeta {
  principal?: Principal;
}

/** What a handler gets: the parsed params and who asks. */
export type HandlerRequest<A> = ParsedOf<A> & {
  principal: Principal;
  requestId: string;
  /** Calls another command on behalf of the same principal. */
  call: Call;
};
export type Handler<A> = (request: HandlerRequest<A>) => Promise<ResultOf<A>>;
export type Handlers<S extends ServiceContract> = {
  [M in keyof S['modules']]: { [C in keyof S['modules'][M]['actions']]: Handler<S['modules'][M]['actions'][C]> };
};

/** @throws Failure UNAUTHORIZED or FORBIDDEN */
export function assertAccess(access: Access, principal: Principal): void {
  if (access === 'anyone' || access === 'internal') return;
  if (principal.kind === 'anonymous') throw new Failure('UNAUTHORIZED');
  if (access === 'admin' && !principal.roles.includes('admin')) throw new Failure('FORBIDDEN');
}

type AnyHandler = (request: Record<string, unknown>) => Promise<unknown>;

/**
 * A contract and its handlers as Moleculer services, one per module. Params and results are parsed by the contract;
 * parsing the result strips what a handler lets out by mistake.
 */
export function implement<S extends ServiceContract>(contract: S, handlers: Handlers<S>, log: Log): ServiceSchema[] {
  return Object.entries(contract.modules).map(([module, { actions }]) => ({
    name: module,
    actions: Object.fromEntries(
      Object.entries(actions).map(([command, action]) => {
        const handler = (handlers as Record<string, Record<string, AnyHandler>>)[module]?.[command];
        if (!handler) throw new Error(`no handler for ${module}.${command}`);
        return [command, actionDefinition(action, handler, log.child({ action: `${module}.${command}` }))];
      }),
    ),
  }));
}

function actionDefinition(contract: ActionContract, handler: AnyHandler, log: Log) {
  const schema = paramsSchema(contract);
  const { result } = contract;
  return {
    // One cast: Moleculer's types know its own parameter rules only.
    params: (() => schema) as never,
    ...(contract.bulkhead && { bulkhead: { enabled: true, ...contract.bulkhead } }),
    async handler(ctx: Context<Record<string, unknown>, CallMeta>) {
      try {
        const principal = ctx.meta.principal ?? anonymous;
        assertAccess(contract.access, principal);
        const request = { ...ctx.params, principal, requestId: ctx.requestID ?? ctx.id, call: caller(ctx) };
        const answer = await handler(request);
        return result === null ? null : result.parse(answer);
      } catch (error) {
        const failure = toFailure(error);
        if (failure.type === 'INTERNAL_SERVER_ERROR') {
          log.error({ err: failure.cause ?? failure, requestId: ctx.requestID }, 'a command failed unexpectedly');
        }
        throw failure;
      }
    },
  };
}

const caller = (ctx: Context) => ((name: string, params: object = {}) => ctx.call(name, params)) as unknown as Call;
