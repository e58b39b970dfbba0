import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../servers/ports.ts';
import { startProduct } from './process.ts';
import { adminPassword, apiKey, commonEnv, guarded, type System } from './system.ts';

/** `node main.ts` with a data directory of its own. */
export function startOneProcess(env: Record<string, string> = {}): Promise<System> {
  return guarded(async (cleanup) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'trigate-one-'));
    cleanup.add(dataDir, (path) => rm(path, { recursive: true, force: true }));
    const [port, mqttPort] = [await freePort(), await freePort()];
    const all: Record<string, string> = {
      ...commonEnv,
      DATA_DIR: dataDir,
      HTTP_PORT: String(port),
      MQTT_PORT: String(mqttPort),
      ...env,
    };
    const host = all.HOST ?? '127.0.0.1';
    const url = `http://${host}:${port}`;
    const product = { name: 'all', args: ['main.ts'], env: all, operatorUrl: url };
    const process = cleanup.add(await startProduct(product), (one) => one.stop());
    return {
      httpUrls: [url],
      socketioUrls: [url],
      mqttUrls: [all.MQTT_URL ?? `mqtt://${host}:${mqttPort}`],
      adminPassword,
      apiKey,
      processes: { all: process },
      env: all,
      stop: () => cleanup.run(),
    };
  });
}
