import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gatewayCore } from '../../gateways/core/core.ts';
import { startHttpGateway } from '../../gateways/http/http.gateway.ts';
import { startServices } from '../../services/start.ts';
import { contracts } from '../../shared/contracts/index.ts';
import type { Fanout } from '../../shared/fanout/fanout.ts';
import { createBroker } from '../../shared/runtime/broker.ts';
import { type Config, loadConfig } from '../../shared/runtime/config.ts';
import { silentLog as log } from '../../shared/runtime/log.ts';
import { operatorEndpoints, readiness } from '../../shared/runtime/operator.ts';
import { processRegistry } from '../../shared/runtime/registry.ts';
import { connectBus, keyringOf } from '../../shared/runtime/start.ts';
import { vault } from '../../shared/runtime/vault.ts';
import { openFiles } from '../../shared/store/file.collections.ts';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { adminPassword, apiKey, type Cleanup, commonEnv, guarded } from './system.ts';

/** HTTP gateways over a real NATS, each with connections of its own, and the services that let users and keys in. */
export interface HttpGateways {
  readonly urls: readonly string[];
  readonly nats: NatsServer;
  stop(): Promise<void>;
}

export function startHttpGateways(count: number, fanout: Fanout, env: Record<string, string>): Promise<HttpGateways> {
  return guarded(async (cleanup) => {
    const nats = cleanup.add(await startNats(), (server) => server.stop());
    const dataDir = cleanup.add(await mkdtemp(join(tmpdir(), 'trigate-http-')), (path) =>
      rm(path, { recursive: true, force: true }),
    );
    const all = { ...commonEnv, JWT_SECRET: adminPassword, API_KEY: apiKey, HOST: '127.0.0.1', HTTP_PORT: '0', ...env };
    const config = loadConfig('gateway:http', { ...all, NATS_URL: nats.url });
    await startAccounts(cleanup, config, dataDir);
    const urls: string[] = [];
    for (let n = 0; n < count; n++) {
      urls.push(await startGateway(cleanup, config, fanout));
    }
    return { urls, nats, stop: () => cleanup.run() };
  });
}

async function joinNats(cleanup: Cleanup, config: Config, role: string) {
  const { connection, bus } = await connectBus(config, role, log);
  cleanup.add(connection, () => connection.close());
  cleanup.add(bus, () => bus.close());
  const broker = cleanup.add(createBroker({ role, log, connection }), (one) => one.stop());
  return { bus, broker, registry: processRegistry(), keyring: keyringOf(config) };
}

async function startAccounts(cleanup: Cleanup, config: Config, dataDir: string): Promise<void> {
  const stores = cleanup.add(await openFiles(dataDir), (one) => one.close());
  const { broker, ...joined } = await joinNats(cleanup, config, 'services');
  const sealing = vault([{ id: 'test', key: Buffer.alloc(32) }]);
  const deps = { ...joined, config, log, stores, vault: sealing, announce: () => {} };
  cleanup.add(await startServices(['auth', 'users'], broker, deps), (running) => running.stop());
  await broker.start();
}

async function startGateway(cleanup: Cleanup, config: Config, fanout: Fanout): Promise<string> {
  const joined = await joinNats(cleanup, config, 'gateway');
  const { broker } = joined;
  const core = await gatewayCore({ ...joined, contracts, config, log });
  await broker.start();
  await broker.waitForServices(['auth', 'users', 'api-keys'], 10_000);
  const operator = operatorEndpoints(readiness({}), joined.registry);
  const gateway = await startHttpGateway({ ...core, ...joined, contracts, fanout, config, operator, log });
  cleanup.add(gateway, (one) => one.stop());
  return `http://127.0.0.1:${(gateway.server.address() as AddressInfo).port}`;
}
