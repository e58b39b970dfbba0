import { createBroker } from '../shared/runtime/broker.ts';
import { createLog } from '../shared/runtime/log.ts';
import { close, operatorEndpoints, readiness, serveOperator } from '../shared/runtime/operator.ts';
import { processRegistry } from '../shared/runtime/registry.ts';
import { drainOnSignals, exitOnSurprises } from '../shared/runtime/shutdown.ts';
import { configOrExit, connectBus, exitWith, keyringOf } from '../shared/runtime/start.ts';
import { vault } from '../shared/runtime/vault.ts';
import { openMongo } from '../shared/store/mongo.collections.ts';
import { type ServiceName, services } from './index.ts';
import { startServices } from './start.ts';

const defaultMetricsPort = 9090;

/** `npm run service -- auth users`: one or more services in this process, over NATS and MongoDB. */
async function main(): Promise<void> {
  const names = process.argv.slice(2);
  const known = Object.keys(services);
  const unknown = names.find((name) => !known.includes(name));
  if (names.length === 0 || unknown !== undefined) {
    exitWith(`${unknown ? `there is no service ${unknown}` : 'which service?'} (known: ${known.join(', ')})`);
  }
  const config = configOrExit('services', process.env);
  const role = `service-${names.join('-')}`;
  const log = createLog(config.logLevel, role);
  exitOnSurprises(log);
  const { connection, bus } = await connectBus(config, role, log);
  const stores = await openMongo(config.mongodbUrl as string);
  const broker = createBroker({ role, log, connection, namespace: config.natsPrefix });
  const registry = processRegistry();
  const running = await startServices(names as ServiceName[], broker, {
    config,
    log,
    stores,
    bus,
    keyring: keyringOf(config),
    registry,
    vault: vault(config.encryptionKeys ?? []),
    announce: (line) => process.stdout.write(`${line}\n`),
  });
  await broker.start();
  const state = readiness({
    nats: () => bus.healthy(),
    mongodb: () => stores.healthy(),
  });
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
    process.env.npm_lifecycle_event !== undefined,
  );
  log.info({ services: names }, 'services are ready');
}

await main().catch((error: Error) => exitWith(error.message));
