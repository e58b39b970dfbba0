/**
 * All seven services in one process over NATS like `npm run service`, but from memory: the only thing of the product
 * that the bench replaces, because the store would otherwise be most of what is measured.
 */
import { type ServiceName, services } from '../../services/index.ts';
import { startServices } from '../../services/start.ts';
import { createBroker } from '../../shared/runtime/broker.ts';
import { createLog } from '../../shared/runtime/log.ts';
import { operatorEndpoints, readiness, serveOperator } from '../../shared/runtime/operator.ts';
import { processRegistry } from '../../shared/runtime/registry.ts';
import { drainOnSignals } from '../../shared/runtime/shutdown.ts';
import { configOrExit, connectBus, keyringOf } from '../../shared/runtime/start.ts';
import { vault } from '../../shared/runtime/vault.ts';
import { openMemory } from '../../shared/store/file.collections.ts';

const role = 'service-bench';
// The role demands a database; nothing connects to it.
const config = configOrExit('services', { ...process.env, MONGODB_URL: 'mongodb://127.0.0.1/unused' });
const log = createLog(config.logLevel, role);
const { connection, bus } = await connectBus(config, role, log);
const stores = openMemory();
const broker = createBroker({ role, log, connection, namespace: config.natsPrefix });
const registry = processRegistry();
const running = await startServices(Object.keys(services) as ServiceName[], broker, {
  config,
  log,
  stores,
  bus,
  keyring: keyringOf(config),
  registry,
  vault: vault(config.encryptionKeys ?? []),
  announce: () => undefined,
});
await broker.start();
const state = readiness({ nats: () => bus.healthy() });
await serveOperator(operatorEndpoints(state, registry), {
  host: config.host,
  port: config.metricsPort as number,
});
drainOnSignals(
  {
    log,
    readiness: state,
    drainDelayMs: config.drainDelayMs,
    steps: [
      ['broker', () => broker.stop()],
      ['services', () => running.stop()],
      ['nats', () => connection.close()],
    ],
  },
  false,
);
