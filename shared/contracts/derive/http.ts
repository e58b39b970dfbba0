import { type ActionContract, type Command, type ServiceContract, successStatus } from '../index.ts';
import { publicCommands } from './names.ts';

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface HttpRoute {
  readonly method: HttpMethod;
  /** `/api/<module>`, `/api/<module>/{id}` or `/api/<module>/{id}/<command>`, or what the contract gives. */
  readonly path: string;
  readonly module: string;
  readonly command: string;
  readonly contract: ActionContract;
  /** Of success. */
  readonly status: number;
  /** Null: the command takes no entity. */
  readonly entityFrom: 'path' | null;
  /** Null: the command takes no payload. */
  readonly payloadFrom: 'query' | 'body' | null;
}

/** The common commands; `PUT` and `PATCH` both merge. Any other command is a POST to its name. */
const common: Readonly<Record<string, readonly HttpMethod[]>> = {
  list: ['GET'],
  create: ['POST'],
  read: ['GET'],
  update: ['PUT', 'PATCH'],
  delete: ['DELETE'],
};

/**
 * The routes of every command a client may send; `update` has two.
 * @throws Error where a contract has no address of its own: two commands on one, or an entity that has no place.
 */
export function httpRoutes(contracts: readonly ServiceContract[]): HttpRoute[] {
  const routes = publicCommands(contracts).flatMap(routesOf);
  const taken = new Map<string, HttpRoute>();
  for (const route of routes) {
    const address = `${route.method} ${route.path}`;
    const other = taken.get(address);
    if (other) throw new Error(`${nameOf(route)} and ${nameOf(other)} are both at ${address}`);
    taken.set(address, route);
  }
  return routes;
}

const nameOf = ({ module, command }: { module: string; command: string }): string => `${module}.${command}`;

function routesOf({ module, command, contract }: Command): HttpRoute[] {
  const methods = contract.http ? [contract.http.method] : Object.hasOwn(common, command) ? common[command] : undefined;
  return (methods ?? ['POST']).map((method) => ({
    method,
    path: pathOf({ module, command, contract }, methods !== undefined),
    module,
    command,
    contract,
    status: successStatus(command, contract),
    entityFrom: contract.entity ? 'path' : null,
    payloadFrom: contract.payload ? (method === 'GET' || method === 'DELETE' ? 'query' : 'body') : null,
  }));
}

function pathOf(action: Command, isCommon: boolean): string {
  const { module, command, contract } = action;
  if (contract.http) return ownPath(action, contract.http.path);
  const ofCollection = command === 'list' || command === 'create';
  if (ofCollection && contract.entity) throw new Error(`${nameOf(action)}: a collection's command takes no entity`);
  // An optional entity would need a second path, which `list` may hold.
  if (contract.entity === 'optional') throw new Error(`${nameOf(action)}: an optional entity has no HTTP address`);
  if (!isCommon && !contract.entity) throw new Error(`${nameOf(action)}: a command of its own name needs an entity`);
  if (!contract.entity) return `/api/${module}`;
  return isCommon ? `/api/${module}/{id}` : `/api/${module}/{id}/${command}`;
}

function ownPath(action: Command, path: string): string {
  const fits = /\{\w+\}/.test(path) === (action.contract.entity === 'required');
  if (!fits) throw new Error(`${nameOf(action)}: ${path} and the contract disagree about an entity`);
  return path;
}
