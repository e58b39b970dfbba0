import type { ServiceBroker } from 'moleculer';
import type { ServiceDeps } from './deps.ts';
import { emitter } from './emit.ts';
import { type ServiceName, services } from './index.ts';
import { migrations } from './migrations.ts';

/** Starts services by name on a broker that is not started yet. What comes back stops what they hold beside it. */
export async function startServices(
  names: readonly ServiceName[],
  broker: ServiceBroker,
  deps: Omit<ServiceDeps, 'emit'>,
): Promise<{ stop(): Promise<void> }> {
  await deps.stores.migrate(migrations);
  const emit = emitter(deps.bus);
  const running = await Promise.all(
    names.map((name) => services[name]({ ...deps, emit, log: deps.log.child({ service: name }) })),
  );
  for (const schema of running.flatMap(({ schemas }) => schemas)) broker.createService(schema);
  return {
    async stop() {
      await Promise.all(running.map((service) => service.stop?.()));
    },
  };
}
