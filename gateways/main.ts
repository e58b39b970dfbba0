import { createServer } from 'node:http';
import { contracts } from '../shared/contracts/index.ts';
import { lateFanout } from '../shared/fanout/late.fanout.ts';
import { natsFanout } from '../shared/fanout/nats.fanout.ts';
import { createBroker } from '../shared/runtime/broker.ts';
import type { Config } from '../shared/runtime/config.ts';
import { createLog } from '../shared/runtime/log.ts';
import {
  close,
  type Endpoints,
  listen,
  operatorEndpoints,
  readiness,
  splitOperator,
} from '../shared/runtime/operator.ts';
import { processRegistry } from '../shared/runtime/registry.ts';
import { drainOnSignals, exitOnSurprises } from '../shared/runtime/shutdown.ts';
import { configOrExit, connectBus, exitWith, keyringOf } from '../shared/runtime/start.ts';
import { announcing } from './core/announcing.ts';
import { gatewayCore } from './core/core.ts';
import { reachable } from './core/system.service.ts';
import { startHttpGateway } from './http/http.gateway.ts';
import { startExternalMqtt } from './mqtt/external.start.ts';
import { clusterAdapter, socketsPrefix } from './socketio/cluster.adapter.ts';
import { startSocketioGateway } from './socketio/socketio.gateway.ts';

const protocols = ['http', 'socketio', 'mqtt'] as const;
type GatewayName = (typeof protocols)[number];
const defaultMetricsPort = 9090;

interface Gateway {
  stop(): Promise<void>;
  /** Where there is more to it than NATS: whether its broker is there. */
  healthy?(): boolean;
}

/** `npm run gateway -- http`: one gateway in this process, over NATS. */
async function main(): Promise<void> {
  const [name, ...rest] = process.argv.slice(2) as GatewayName[];
  if (!name || rest.length > 0 || !protocols.includes(name))
    exitWith(`which gateway? (known: ${protocols.join(', ')})`);
  const config = configOrExit(`gateway:${name}`, process.env);
  const role = `gateway-${name}`;
  const log = createLog(config.logLevel, role);
  exitOnSurprises(log);
  if (config.authStrategy === 'none') log.warn('AUTH_STRATEGY=none lets everybody in as administrator');
  const { connection, bus } = await connectBus(config, role, log);
  const broker = createBroker({ role, log, connection, namespace: config.natsPrefix });
  const registry = processRegistry();
  const keyring = keyringOf(config);
  const parts = { contracts, broker, bus, config, keyring, registry, log };
  const core = await gatewayCore(parts);
  await broker.start();

  const state = readiness({
    nats: () => bus.healthy(),
    auth: () => reachable(broker).auth === true && reachable(broker).users === true,
  });
  const operator = splitOperator(operatorEndpoints(state, registry), {
    host: config.host,
    ...portsOf(name, config),
  });
  // A gateway with sockets brings its own.
  const fanout = lateFanout();
  const overNats =
    name === 'socketio' ? undefined : await natsFanout({ connection, bus, prefix: socketsPrefix(config), log });
  if (overNats) fanout.use(overNats);
  const dispatcher = announcing(core.dispatcher, fanout);
  const deps = { ...parts, ...core, dispatcher, fanout, operator: operator.forClients, name: broker.nodeID };
  const starts: Record<GatewayName, () => Promise<Gateway>> = {
    http: () => startHttpGateway(deps),
    socketio: () => {
      const adapter: SocketioAlone['adapter'] = (mayReturn) => clusterAdapter({ ...deps, connection, mayReturn });
      return socketioAlone({ ...deps, adapter, recovery: true });
    },
    mqtt: () => startExternalMqtt(deps),
  };
  const gateway = await starts[name]();
  if (gateway.healthy) state.checks.broker = gateway.healthy;
  const extra = await operator.serve();

  drainOnSignals(
    {
      log,
      readiness: state,
      drainDelayMs: config.drainDelayMs,
      steps: [
        [name, () => gateway.stop()],
        ['fan-out', () => overNats?.close()],
        ['broker', () => broker.stop()],
        ['bus', () => bus.close()],
        ['nats', () => connection.close()],
        ['operator', () => extra && close(extra)],
      ],
    },
    process.env.npm_lifecycle_event !== undefined,
  );
  log.info({ node: deps.name }, 'gateway is ready');
}

function portsOf(name: GatewayName, { httpPort, socketioPort, metricsPort }: Config) {
  if (name === 'mqtt') return { metricsPort: metricsPort ?? defaultMetricsPort };
  return { metricsPort, clientPort: name === 'http' ? httpPort : socketioPort };
}

type SocketioAlone = Omit<Parameters<typeof startSocketioGateway>[0], 'server'> & {
  config: Config;
  operator: Endpoints;
  fanout: ReturnType<typeof lateFanout>;
};

/** A Socket.IO gateway on a port of its own, which also answers `/live`, `/ready` and `/metrics`. */
async function socketioAlone(deps: SocketioAlone): Promise<{ stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    deps.operator(request, response).then(
      (done) => done || response.writeHead(404).end(),
      () => response.destroy(),
    );
  });
  const gateway = await startSocketioGateway({ ...deps, server });
  deps.fanout.use(gateway.fanout);
  await listen(server, { host: deps.config.host, port: deps.config.socketioPort });
  return {
    async stop() {
      await gateway.stop();
      await close(server);
    },
  };
}

await main().catch((error: Error) => exitWith(error.message));
