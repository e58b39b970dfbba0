import { createBroker } from '../shared/runtime/broker.ts';
import type { Config } from '../shared/runtime/config.ts';
import type { Log } from '../shared/runtime/log.ts';
import { type Check, close, operatorEndpoints, readiness, serveOperator } from '../shared/runtime/operator.ts';
import { processRegistry } from '../shared/runtime/registry.ts';
import { drainOnSignals } from '../shared/runtime/shutdown.ts';
import { connectBus, keyringOf } from '../shared/runtime/start.ts';
import { vault } from '../shared/runtime/vault.ts';
import type { Collections } from '../shared/store/collection.ts';
import type { ServiceName } from './index.ts';
import { startServices } from './start.ts';

export interface ServiceProcess {
  names: readonly ServiceName[];
  /** Begins the node id and names the NATS connection. */
  role: string;
  config: Config;
  log: Log;
  stores: Collections;
  /** Parts of `/ready` beside NATS. */
  checks: Record<string, Check>;
  announce(line: string): void;
  byNpm: boolean;
}

const defaultMetricsPort = 9090;

/** Services over NATS in this process, until a signal ends it. */
export async function runServices(service: ServiceProcess): Promise<void> {
  const { names, role, config, log, stores, announce } = service;
  const { connection, bus } = await connectBus(config, role, log);
  const broker = createBroker({ role, log, connection, namespace: config.natsPrefix });
  const registry = processRegistry();
  const running = await startServices(names, broker, {
    config,
    log,
    stores,
    bus,
    keyring: keyringOf(config),
    registry,
    vault: vault(config.encryptionKeys ?? []),
    announce,
  });
  await broker.start();
  const state = readiness({ nats: () => bus.healthy(), ...service.checks });
  const operator = await serveOperator(operatorEndpoints(state, registry), {
    host: config.host,
    port: config.metricsPort ?? defaultMetricsPort,
  });
  drainOnSignals(
    {
      log,
      readiness: state,
      drainDelayMs: config.drainDelayMs,
      steps: [
        ['broker', () => broker.stop()],
        ['services', () => running.stop()],
        ['bus', () => bus.close()],
        ['nats', () => connection.close()],
        ['stores', () => stores.close()],
        ['operator', () => close(operator)],
      ],
    },
    service.byNpm,
  );
  log.info({ services: names }, 'services are ready');
}
