import type { ServiceBroker } from 'moleculer';
import type { Call } from '../shared/contracts/index.ts';
import type { Principal } from '../shared/runtime/principal.ts';
import type { ServiceDeps } from './deps.ts';
import { emitter } from './emit.ts';
import { type ServiceName, services } from './index.ts';
import { migrations } from './migrations.ts';

/** Starts services by name on a broker that is not started yet. What comes back stops what they hold beside it. */
export async function startServices(
  names: readonly ServiceName[],
  broker: ServiceBroker,
  deps: Omit<ServiceDeps, 'emit' | 'call'>,
): Promise<{ stop(): Promise<void> }> {
  await deps.stores.migrate(migrations);
  const emit = emitter(deps.bus);
  const call = systemCall(broker);
  const running = await Promise.all(
    names.map((name) => services[name]({ ...deps, emit, call, log: deps.log.child({ service: name }) })),
  );
  for (const schema of running.flatMap(({ schemas }) => schemas)) broker.createService(schema);
  return {
    async stop() {
      await Promise.all(running.map((service) => service.stop?.()));
    },
  };
}

const system: Principal = { kind: 'key', id: 'system', username: 'system', email: null, roles: ['admin', 'user'] };

const systemCall = (broker: ServiceBroker) =>
  ((name: string, params: object = {}) =>
    broker.call(name, params, { meta: { principal: system } })) as unknown as Call;
