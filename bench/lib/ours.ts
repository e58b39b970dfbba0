import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMosquitto } from '../../test/servers/mosquitto.ts';
import { startNats } from '../../test/servers/nats.ts';
import type { Contender, StartOptions } from './contender.types.ts';
import { answers, freePorts, Started } from './processes.ts';

export const adminPassword = randomBytes(12).toString('hex');

/** Everything on as in production but the limits, which are there to end such a load. */
const settings = (options: StartOptions) => ({
  HOST: '127.0.0.1',
  JWT_SECRET: options.jwtSecret,
  ENCRYPTION_KEYS: `bench:${Buffer.alloc(32, 7).toString('base64')}`,
  ADMIN_PASSWORD: adminPassword,
  API_KEY: randomBytes(12).toString('hex'),
  RATE_LIMIT_CONNECTIONS: '0',
  RATE_LIMIT_MESSAGES: '0',
  RATE_LIMIT_HTTP: '0',
  SOCKETS_PER_USER: '0',
  DRAIN_DELAY_MS: '0',
  LOG_LEVEL: 'warn',
});

/** @throws Error with the last output of the process that did not start */
export async function startOurs(options: StartOptions): Promise<Contender> {
  const started = new Started();
  try {
    return await (options.mode === 'one process' ? oneProcess(options, started) : distributed(options, started));
  } catch (error) {
    await started.stop();
    throw error;
  }
}

async function oneProcess(options: StartOptions, started: Started): Promise<Contender> {
  const folder = await mkdtemp(join(tmpdir(), 'trigate-bench-'));
  started.add({ stop: () => rm(folder, { recursive: true, force: true }) });
  const [http, mqtt] = (await freePorts(2)) as [number, number];
  const env = { ...settings(options), HTTP_PORT: `${http}`, MQTT_PORT: `${mqtt}`, DATA_DIR: folder };
  await started.node('trigate', ['main.ts'], env, ready(http));
  return started.contender({ http: local(http), socketio: local(http), mqtt: `mqtt://127.0.0.1:${mqtt}` });
}

async function distributed(options: StartOptions, started: Started): Promise<Contender> {
  const nats = started.helper(await startNats());
  const broker = started.helper(await startMosquitto({ packetLog: false }));
  const [services, http, socketio, mqtt] = (await freePorts(4)) as [number, number, number, number];
  const env = { ...settings(options), NATS_URL: nats.url, MONGODB_URL: options.mongodbUrl, MQTT_URL: broker.url };
  const all = ['auth', 'users', 'cameras', 'credentials', 'rooms', 'presence', 'streams'];
  const main = options.store === 'memory' ? ['bench/lib/ours.services.ts'] : ['services/main.ts', ...all];
  await started.node('services', main, { ...env, METRICS_PORT: `${services}` }, ready(services));
  const gateway = (name: string, port: number, more: NodeJS.ProcessEnv) =>
    started.node(name, ['gateways/main.ts', name], { ...env, ...more }, ready(port));
  await gateway('http', http, { HTTP_PORT: `${http}` });
  await gateway('socketio', socketio, { SOCKETIO_PORT: `${socketio}` });
  await gateway('mqtt', mqtt, { METRICS_PORT: `${mqtt}` });
  return started.contender({ http: local(http), socketio: local(socketio), mqtt: broker.url });
}

const local = (port: number) => `http://127.0.0.1:${port}`;
const ready = (port: number) => answers(`${local(port)}/ready`, 200);
