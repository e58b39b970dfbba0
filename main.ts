import type { AddressInfo } from 'node:net';
import { announcing } from './gateways/core/announcing.ts';
import { gatewayCore } from './gateways/core/core.ts';
import { reachable } from './gateways/core/system.service.ts';
import { startHttpGateway } from './gateways/http/http.gateway.ts';
import { startEmbeddedMqtt } from './gateways/mqtt/embedded.start.ts';
import { startExternalMqtt } from './gateways/mqtt/external.start.ts';
import { startSocketioGateway } from './gateways/socketio/socketio.gateway.ts';
import { type ServiceName, services } from './services/index.ts';
import { startServices } from './services/start.ts';
import { contracts } from './shared/contracts/index.ts';
import { lateFanout } from './shared/fanout/late.fanout.ts';
import { memoryBus } from './shared/fanout/memory.bus.ts';
import { createBroker } from './shared/runtime/broker.ts';
import { createLog } from './shared/runtime/log.ts';
import { close, operatorEndpoints, readiness, splitOperator } from './shared/runtime/operator.ts';
import { processRegistry } from './shared/runtime/registry.ts';
import { completeSecrets } from './shared/runtime/secrets.ts';
import { drainOnSignals, exitOnSurprises } from './shared/runtime/shutdown.ts';
import { configOrExit, exitWith, keyringOf } from './shared/runtime/start.ts';
import { vault } from './shared/runtime/vault.ts';
import { openFiles } from './shared/store/file.collections.ts';
import { openMongo } from './shared/store/mongo.collections.ts';

const say = (line: string) => process.stdout.write(`${line}\n`);

/** `npm start`: every service and every gateway in this process. */
async function main(): Promise<void> {
  const config = await completeSecrets(configOrExit('all', process.env));
  const log = createLog(config.logLevel, 'all');
  exitOnSurprises(log);
  if (config.authStrategy === 'none') log.warn('AUTH_STRATEGY=none lets everybody in as administrator');
  const stores = config.mongodbUrl ? await openMongo(config.mongodbUrl) : await openFiles(config.dataDir);
  const bus = memoryBus();
  const broker = createBroker({ role: 'all', log });
  const registry = processRegistry();
  const keyring = keyringOf(config);
  const announced: string[] = [];
  const running = await startServices(Object.keys(services) as ServiceName[], broker, {
    config,
    log,
    stores,
    bus,
    keyring,
    registry,
    vault: vault(config.encryptionKeys ?? []),
    announce: (line) => announced.push(line),
  });
  const parts = { contracts, broker, bus, config, keyring, registry, log };
  const core = await gatewayCore(parts);
  await broker.start();

  const state = readiness({ store: () => stores.healthy(), services: () => reachable(broker).auth === true });
  const operator = splitOperator(operatorEndpoints(state, registry), {
    host: config.host,
    metricsPort: config.metricsPort,
    clientPort: config.httpPort,
  });
  // HTTP starts first, as Socket.IO shares its server.
  const fanout = lateFanout();
  const dispatcher = announcing(core.dispatcher, fanout);
  const deps = { ...parts, ...core, dispatcher, fanout, operator: operator.forClients, name: broker.nodeID };
  const http = await startHttpGateway(deps);
  const socketio = await startSocketioGateway({ ...deps, server: http.server, recovery: true });
  fanout.use(socketio.fanout);
  const mqtt = await (config.mqttUrl ? startExternalMqtt(deps) : startEmbeddedMqtt(deps));
  state.checks.mqtt = () => mqtt.healthy();
  const extra = await operator.serve();
  drainOnSignals(
    {
      log,
      readiness: state,
      drainDelayMs: config.drainDelayMs,
      steps: [
        ['mqtt', () => mqtt.stop()],
        ['socketio', () => socketio.stop()],
        ['http', () => http.stop()],
        ['broker', () => broker.stop()],
        ['services', () => running.stop()],
        ['bus', () => bus.close()],
        ['stores', () => stores.close()],
        ['operator', () => extra && close(extra)],
      ],
    },
    process.env.npm_lifecycle_event !== undefined,
  );

  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const { port } = http.server.address() as AddressInfo;
  say('Trigate is ready');
  say(`  HTTP and Socket.IO  http://${host}:${port}`);
  say(`  MQTT                ${mqtt.address}`);
  say(`  try it              http://${host}:${port}/api/docs`);
  if (announced.length > 0) say('Shown this once:');
  for (const line of announced.sort((a, b) => a.localeCompare(b))) say(`  ${line}`);
}

await main().catch((error: Error) => exitWith(error.message));
