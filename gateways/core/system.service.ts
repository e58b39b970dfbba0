import { arch, platform } from 'node:os';
import type { ServiceBroker, ServiceSchema } from 'moleculer';
import { contracts, type ServiceContract } from '../../shared/contracts/index.ts';
import { systemContract } from '../../shared/contracts/system.contract.ts';
import { implement } from '../../shared/runtime/implement.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { release } from '../../shared/runtime/release.ts';

const needed = (contracts as readonly ServiceContract[])
  .map(({ service }) => service)
  .filter((service) => service !== systemContract.service);

/** Which services this gateway can reach at the moment. */
export function reachable(broker: ServiceBroker): Record<string, boolean> {
  const there = new Set(broker.registry.getServiceList({ onlyAvailable: true }).map(({ name }) => name));
  return Object.fromEntries(needed.map((name) => [name, there.has(name)]));
}

/** What a gateway answers itself: every gateway has its own copy, and calls prefer the local one. */
export function systemService(
  broker: ServiceBroker,
  openapi: () => Record<string, unknown>,
  log: Log,
): ServiceSchema[] {
  const handlers: Parameters<typeof implement<typeof systemContract>>[1] = {
    health: {
      async list() {
        const services = reachable(broker);
        const canLogIn = services.auth && services.users;
        const healthy = !canLogIn ? 'unhealthy' : Object.values(services).every(Boolean) ? 'healthy' : 'degraded';
        const details = Object.fromEntries(Object.entries(services).map(([name, up]) => [name, { healthy: up }]));
        return { healthy, details: { app: { healthy: true }, ...details } };
      },
    },
    version: {
      list: async () => ({
        release: release.version,
        commit: release.commit,
        platform: `${platform()}-${arch()}`,
        node: process.version,
      }),
    },
    swagger: { list: async () => openapi() },
  };
  return implement(systemContract, handlers, log);
}
