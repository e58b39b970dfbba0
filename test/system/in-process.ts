import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gatewayCore } from '../../gateways/core/core.ts';
import { startHttpGateway } from '../../gateways/http/http.gateway.ts';
import { startEmbeddedMqtt } from '../../gateways/mqtt/embedded.start.ts';
import { startSocketioGateway } from '../../gateways/socketio/socketio.gateway.ts';
import type { ServiceContract } from '../../shared/contracts/index.ts';
import { systemContract } from '../../shared/contracts/system.contract.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import { lateFanout } from '../../shared/fanout/late.fanout.ts';
import { memoryBus } from '../../shared/fanout/memory.bus.ts';
import { createBroker } from '../../shared/runtime/broker.ts';
import { loadConfig } from '../../shared/runtime/config.ts';
import { type Handlers, implement } from '../../shared/runtime/implement.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { operatorEndpoints, readiness } from '../../shared/runtime/operator.ts';
import { processRegistry } from '../../shared/runtime/registry.ts';
import { keyringOf } from '../../shared/runtime/start.ts';
import { commonEnv, guarded } from './system.ts';

const lifetimeSeconds = 600;

/** Gateways of all three protocols in this process, in front of services that a test brings along. */
export interface InProcess {
  readonly httpUrl: string;
  readonly mqttUrl: string;
  readonly bus: Bus;
  readonly contracts: readonly ServiceContract[];
  /** A bearer; users are not stored anywhere. */
  token(id: string, ...roles: ('admin' | 'user')[]): Promise<string>;
  stop(): Promise<void>;
}

export interface Served<S extends ServiceContract> {
  contract: S;
  handlers: Handlers<S>;
}

export function startInProcess<S extends ServiceContract>(...served: Served<S>[]): Promise<InProcess> {
  return guarded(async (cleanup) => {
    const dataDir = cleanup.add(await mkdtemp(join(tmpdir(), 'trigate-in-')), (path) => rm(path, { recursive: true }));
    const contracts = [...served.map(({ contract }) => contract), systemContract];
    const env = { ...commonEnv, DATA_DIR: dataDir, HTTP_PORT: '0', MQTT_PORT: '0', AUTH_USERS: 'external' };
    const config = loadConfig('all', { ...env, JWT_SECRET: 'a secret of these tests only' });
    const keyring = keyringOf(config);
    const bus = cleanup.add(memoryBus(), (one) => one.close());
    const broker = cleanup.add(createBroker({ role: 'all', log: silentLog }), (one) => one.stop());
    for (const { contract, handlers } of served) {
      for (const schema of implement(contract, handlers, silentLog)) broker.createService(schema);
    }
    const registry = processRegistry();
    const core = await gatewayCore({ contracts, broker, bus, config, keyring, registry, log: silentLog });
    await broker.start();
    const operator = operatorEndpoints(readiness({}), registry);
    const fanout = lateFanout();
    const shared = { ...core, contracts, broker, bus, fanout, config, keyring, operator };
    const deps = { ...shared, log: silentLog, name: broker.nodeID };
    const http = cleanup.add(await startHttpGateway(deps), (one) => one.stop());
    const socketio = cleanup.add(await startSocketioGateway({ ...deps, server: http.server }), (one) => one.stop());
    fanout.use(socketio.fanout);
    const mqtt = cleanup.add(await startEmbeddedMqtt(deps), (one) => one.stop());
    return {
      httpUrl: `http://127.0.0.1:${(http.server.address() as AddressInfo).port}`,
      mqttUrl: mqtt.address,
      bus,
      contracts,
      token: (id, ...roles) => keyring.sign({ sub: id, roles: roles.length > 0 ? roles : ['user'] }, lifetimeSeconds),
      stop: () => cleanup.run(),
    };
  });
}
