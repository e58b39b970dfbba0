import { type ActionContract, commandTable, type ServiceContract, successStatus } from '../index.ts';

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One way to call a command over HTTP. */
export interface HttpRoute {
  readonly method: HttpMethod;
  /** `/api/cameras`, `/api/cameras/{id}`, `/api/rooms/{id}/send` */
  readonly path: string;
  readonly module: string;
  readonly command: string;
  readonly contract: ActionContract;
  /** Of success. */
  readonly status: number;
  readonly entityFrom: 'path' | null;
  /** Null where the command takes no payload: whatever is sent is refused by name. */
  readonly payloadFrom: 'query' | 'body' | null;
}

const methods: Record<string, readonly HttpMethod[]> = {
  list: ['GET'],
  read: ['GET'],
  create: ['POST'],
  update: ['PUT', 'PATCH'],
  delete: ['DELETE'],
};

/** Every route of every command a client may send. */
export function httpRoutes(contracts: readonly ServiceContract[]): HttpRoute[] {
  return [...commandTable(contracts).values()]
    .flatMap((commands) => [...commands.values()])
    .flatMap(({ module, command, contract }) => {
      const common = methods[command];
      const path = `/api/${module}${contract.entity ? '/{id}' : ''}${common ? '' : `/${command}`}`;
      return (common ?? (['POST'] as const)).map((method): HttpRoute => {
        const source = method === 'GET' || method === 'DELETE' ? 'query' : 'body';
        return {
          method,
          path,
          module,
          command,
          contract,
          status: successStatus(command, contract),
          entityFrom: contract.entity ? 'path' : null,
          payloadFrom: contract.payload ? source : null,
        };
      });
    });
}
