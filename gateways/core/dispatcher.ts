import type { CallingOptions, ServiceBroker } from 'moleculer';
import { type Command, commandTable, Failure, type ServiceContract } from '../../shared/contracts/index.ts';
import { idempotentRetries } from '../../shared/runtime/broker.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import { assertAccess } from '../../shared/runtime/implement.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { TextOption } from '../../shared/runtime/nats.transporter.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { Dispatcher, Request } from './dispatch.types.ts';
import type { RequestMetrics } from './metrics.ts';

interface DispatcherDeps {
  contracts: readonly ServiceContract[];
  broker: Pick<ServiceBroker, 'call'>;
  metrics: RequestMetrics;
  log: Log;
}

/** The one way from a client's command to a service, whatever the protocol: look up, allow, call, count. */
export function createDispatcher({ contracts, broker, metrics, log }: DispatcherDeps): Dispatcher {
  const table = commandTable(contracts);

  /** @throws Failure NOT_FOUND */
  function lookUp({ module, command }: Request): Command {
    const commands = table.get(module);
    if (!commands) throw new Failure('NOT_FOUND', 'There is no such module');
    const found = commands.get(command);
    if (!found) throw new Failure('NOT_FOUND', `The module ${module} has no such command`);
    return found;
  }

  function call(
    { module, command, contract }: Command,
    request: Request,
    principal: Principal,
    form: 'jsonText' | undefined,
  ): Promise<unknown> {
    const params: Record<string, unknown> = {};
    if (request.entity !== undefined) params.entity = request.entity;
    if (request.payload !== undefined) params.payload = request.payload;
    const options: CallingOptions & TextOption = { meta: { principal }, requestID: request.requestId };
    if (contract.idempotent) options.retries = idempotentRetries;
    if (form === 'jsonText') options.jsonText = true;
    return broker.call(`${module}.${command}`, params, options);
  }

  return {
    async dispatch(request, principal, protocol, form): Promise<unknown> {
      const started = performance.now();
      let command: Command | undefined;
      try {
        command = lookUp(request);
        assertAccess(command.contract.access, principal);
        const result = await call(command, request, principal, form);
        metrics.observe(protocol, command, 'OK', performance.now() - started);
        return result;
      } catch (error) {
        const failure = toFailure(error);
        metrics.observe(protocol, command, failure.type, performance.now() - started);
        if (failure.code >= 500) {
          const { module, command: name, requestId } = request;
          log.warn({ module, command: name, requestId, code: failure.type, err: failure.cause }, 'a request failed');
        }
        throw failure;
      }
    },
  };
}
