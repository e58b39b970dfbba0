import { randomBytes } from 'node:crypto';
import { startMongo } from '../servers/mongodb.ts';
import { startNats } from '../servers/nats.ts';
import { freePort } from '../servers/ports.ts';
import { startProxy, type TcpProxy } from '../servers/proxy.ts';
import { type ProductProcess, startProduct } from './process.ts';
import { brokerUsers, startShippedMosquitto } from './shipped-mosquitto.ts';
import { adminPassword, apiKey, type Cleanup, commonEnv, guarded, type System } from './system.ts';

export interface Scale {
  http: number;
  socketio: number;
  mqtt: number;
}

export interface Distributed extends System {
  readonly nats: NonNullable<System['nats']>;
  readonly mosquitto: NonNullable<System['mosquitto']>;
  /** Between the services and their MongoDB. */
  readonly mongodb: TcpProxy;
  /** Between NATS and the processes that were named `behind` it. */
  readonly natsLink: TcpProxy;
}

/** Which services share a process: those without which nobody gets in, and the others. */
export const serviceProcesses = {
  'services-1': ['auth', 'users'],
  'services-2': ['cameras', 'credentials', 'rooms', 'presence', 'streams'],
} as const;

type Env = Record<string, string>;

/** NATS, MongoDB behind a proxy that can be cut, and Mosquitto; with what processes need to reach them. */
async function startServers(cleanup: Cleanup) {
  const [nats, mongo, mosquitto] = await Promise.all([
    startNats().then((one) => cleanup.add(one, () => one.stop())),
    startMongo().then((one) => cleanup.add(one, () => one.stop())),
    startShippedMosquitto().then((one) => cleanup.add(one, () => one.stop())),
  ]);
  const natsLink = cleanup.add(await startProxy(nats.port), (proxy) => proxy.close());
  const address = new URL(mongo.url);
  const mongodb = cleanup.add(await startProxy(Number(address.port)), (proxy) => proxy.close());
  address.host = `127.0.0.1:${mongodb.port}`;
  address.searchParams.set('directConnection', 'true');
  const env: Env = {
    NATS_URL: nats.url,
    MONGODB_URL: address.href,
    MQTT_URL: mosquitto.url,
    MQTT_USERNAME: 'trigate-gateway',
    MQTT_PASSWORD: brokerUsers['trigate-gateway'],
    JWT_SECRET: randomBytes(32).toString('base64url'),
    ENCRYPTION_KEYS: `test:${randomBytes(32).toString('base64')}`,
    HOST: '127.0.0.1',
  };
  return { nats, natsLink, mosquitto, mongodb, env };
}

/**
 * Every process by its own command, services and gateways at once, as an orchestrator does it. Those named in `behind`
 * reach NATS through a link that can be cut.
 */
export function startDistributed(
  more: Env = {},
  scale: Scale = { http: 1, socketio: 1, mqtt: 1 },
  behind: readonly string[] = [],
  services: Readonly<Record<string, readonly string[]>> = serviceProcesses,
): Promise<Distributed> {
  return guarded(async (cleanup) => {
    const { env, ...servers } = await startServers(cleanup);
    // Media servers call the first HTTP gateway, which the services have to know before it is there.
    const firstHttp = await freePort();
    const callback = { MEDIAMTX_CALLBACK_URL: `http://127.0.0.1:${firstHttp}` };
    const all = { ...commonEnv, ...env, ...callback, ...more };
    const processes: Record<string, ProductProcess> = {};
    const run = async (name: string, args: readonly string[], portName: string) => {
      const port = name === 'http-1' ? firstHttp : await freePort();
      const operatorUrl = `http://127.0.0.1:${port}`;
      const nats = behind.includes(name) ? { NATS_URL: `nats://127.0.0.1:${servers.natsLink.port}` } : {};
      const product = { name, args, operatorUrl, env: { ...all, ...nats, [portName]: String(port) } };
      processes[name] = cleanup.add(await startProduct(product), (one) => one.stop());
      return operatorUrl;
    };
    const gateways = (protocol: keyof Scale, portName: string) =>
      Promise.all(
        Array.from({ length: scale[protocol] }, (_, index) =>
          run(`${protocol}-${index + 1}`, ['gateways/main.ts', protocol], portName),
        ),
      );
    // First, so that the gateways know every service from their start on: /ready speaks of those that let people in.
    await allOrNothing(
      Object.entries(services).map(([name, names]) => run(name, ['services/main.ts', ...names], 'METRICS_PORT')),
    );
    const [httpUrls, socketioUrls] = await allOrNothing([
      gateways('http', 'HTTP_PORT'),
      gateways('socketio', 'SOCKETIO_PORT'),
      gateways('mqtt', 'METRICS_PORT'),
    ]);
    return {
      ...servers,
      httpUrls: httpUrls as string[],
      socketioUrls: socketioUrls as string[],
      mqttUrls: [servers.mosquitto.url],
      adminPassword,
      apiKey,
      processes,
      env: all,
      stop: () => cleanup.run(),
    };
  });
}

/** Waits for all even where one fails: what starts meanwhile must be known before it can be stopped. */
async function allOrNothing<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}
