import type { ServiceBroker } from 'moleculer';
import type { Registry } from 'prom-client';
import { openapi } from '../../shared/contracts/derive/openapi.ts';
import { type ActionContract, type Call, httpContracts, type ServiceContract } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import { idempotentRetries } from '../../shared/runtime/broker.ts';
import type { Config } from '../../shared/runtime/config.ts';
import type { Keyring } from '../../shared/runtime/keyring.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { release } from '../../shared/runtime/release.ts';
import { createAuthenticator } from './authenticator.ts';
import type { Authenticator, Dispatcher } from './dispatch.types.ts';
import { createDispatcher } from './dispatcher.ts';
import { type GatewayMetrics, gatewayMetrics } from './metrics.ts';
import { systemService } from './system.service.ts';

export interface CoreDeps {
  contracts: readonly ServiceContract[];
  broker: ServiceBroker;
  bus: Bus;
  config: Config;
  keyring: Keyring;
  registry: Registry;
  log: Log;
}

export interface GatewayCore {
  dispatcher: Dispatcher;
  authenticator: Authenticator;
  metrics: GatewayMetrics;
  /** Calls of the gateway on behalf of somebody, of what no client may call itself: `rooms.enter`. */
  callAs(principal: Principal): Call;
  openapi: Record<string, unknown>;
}

/** What the gateways of one process share. Made before the broker starts, as it adds a service to it. */
export async function gatewayCore(deps: CoreDeps): Promise<GatewayCore> {
  const { broker, contracts, bus, config, keyring, log } = deps;
  const metrics = gatewayMetrics(deps.registry);
  const document = openapi([...contracts, ...httpContracts], { version: release.version });
  for (const schema of systemService(broker, () => document, log)) broker.createService(schema);
  const callAs = internalCalls(broker, contracts);
  const authenticator = await createAuthenticator({ config, keyring, bus, call: callAs(), log });
  return {
    dispatcher: createDispatcher({ contracts, broker, metrics, log }),
    authenticator,
    metrics,
    callAs,
    openapi: document,
  };
}

/** Calls of the gateway itself, such as asking who a user is; without a principal on behalf of nobody. */
function internalCalls(broker: ServiceBroker, contracts: readonly ServiceContract[]): (principal?: Principal) => Call {
  const idempotent = idempotentNames(contracts);
  return (principal) => {
    const call = (name: string, params: object = {}) =>
      broker.call(name, params, {
        ...(principal && { meta: { principal } }),
        ...(idempotent.has(name) && { retries: idempotentRetries }),
      });
    return call as unknown as Call;
  };
}

function idempotentNames(contracts: readonly ServiceContract[]): ReadonlySet<string> {
  const idempotent = new Set<string>();
  for (const { modules } of contracts) {
    for (const [module, { actions }] of Object.entries(modules)) {
      for (const [name, action] of Object.entries(actions as Record<string, ActionContract>)) {
        if (action.idempotent) idempotent.add(`${module}.${name}`);
      }
    }
  }
  return idempotent;
}
