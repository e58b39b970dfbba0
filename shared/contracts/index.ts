import { authContract } from './auth.contract.ts';
import { camerasContract } from './cameras.contract.ts';
import { authorizeContract, credentialsContract } from './credentials.contract.ts';
import type { ActionContract, ParamsOf, ResultOf, ServiceContract } from './kernel.ts';
import { presenceContract } from './presence.contract.ts';
import { pushContract } from './push.contract.ts';
import { roomsContract } from './rooms.contract.ts';
import { streamsContract } from './streams.contract.ts';
import { systemContract } from './system.contract.ts';
import { usersContract } from './users.contract.ts';

/** Every contract, in the order documents list them. Adding a service is adding a line here. */
export const contracts = [
  authContract,
  usersContract,
  camerasContract,
  credentialsContract,
  roomsContract,
  presenceContract,
  streamsContract,
  systemContract,
] as const satisfies readonly ServiceContract[];

/** What HTTP has beside them. */
export const httpContracts: readonly ServiceContract[] = [pushContract, authorizeContract];

type Contracts = (typeof contracts)[number];
type Intersect<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;
type Modules = Intersect<Contracts['modules']>;
type Events = Intersect<Contracts extends infer C ? (C extends { events: infer E } ? E : never) : never>;

export type ModuleName = keyof Modules & string;
export type CommandName = {
  [M in ModuleName]: `${M}.${keyof Modules[M]['actions'] & string}`;
}[ModuleName];
export type ActionOf<N extends CommandName> = N extends `${infer M}.${infer C}`
  ? M extends ModuleName
    ? C extends keyof Modules[M]['actions']
      ? Modules[M]['actions'][C]
      : never
    : never
  : never;

export type EventDomain = keyof Events & string;
export type EventName<D extends EventDomain> = keyof Events[D] & string;
export type EventDetails<D extends EventDomain, E extends EventName<D>> = Events[D][E] extends {
  details: { _zod: { output: infer O } };
}
  ? O
  : never;

/** `call('cameras.read', {entity})`: names, parameters and results come from the contracts. */
export type Call = <N extends CommandName>(
  name: N,
  ...params: Record<string, never> extends ParamsOf<ActionOf<N>>
    ? [params?: ParamsOf<ActionOf<N>>]
    : [params: ParamsOf<ActionOf<N>>]
) => Promise<ResultOf<ActionOf<N>>>;

export interface Command {
  readonly module: string;
  readonly command: string;
  readonly contract: ActionContract;
}

/** Every command a client may send, keyed by module, then command. */
export function commandTable(list: readonly ServiceContract[]): Map<string, Map<string, Command>> {
  const table = new Map<string, Map<string, Command>>();
  for (const { modules } of list) {
    for (const [module, { actions }] of Object.entries(modules)) {
      const commands = new Map<string, Command>();
      for (const [command, contract] of Object.entries(actions)) {
        if (contract.access !== 'internal') commands.set(command, { module, command, contract });
      }
      table.set(module, commands);
    }
  }
  return table;
}

export * from './errors.ts';
export * from './kernel.ts';
