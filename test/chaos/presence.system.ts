import { randomBytes } from 'node:crypto';
import { startMongo } from '../servers/mongodb.ts';
import { startMosquitto } from '../servers/mosquitto.ts';
import { startNats } from '../servers/nats.ts';
import { freePort } from '../servers/ports.ts';
import { type ProductProcess, startProduct } from '../system/process.ts';
import { adminPassword, apiKey, commonEnv, guarded, type System } from '../system/system.ts';

export interface PresenceSystem extends System {
  readonly nats: NonNullable<System['nats']>;
  /** One more Socket.IO gateway, which reaches NATS by another way; whoever starts it stops it. */
  gateway(natsUrl: string): Promise<ProductProcess>;
}

/** Each by its own command, so that each can be killed: two presence processes, three Socket.IO gateways, HTTP, MQTT. */
const commands = {
  users: { args: ['services/main.ts', 'auth', 'users', 'rooms'], port: 'METRICS_PORT' },
  'presence-1': { args: ['services/main.ts', 'presence'], port: 'METRICS_PORT' },
  'presence-2': { args: ['services/main.ts', 'presence'], port: 'METRICS_PORT' },
  http: { args: ['gateways/main.ts', 'http'], port: 'HTTP_PORT' },
  mqtt: { args: ['gateways/main.ts', 'mqtt'], port: 'METRICS_PORT' },
  'socketio-1': { args: ['gateways/main.ts', 'socketio'], port: 'SOCKETIO_PORT' },
  'socketio-2': { args: ['gateways/main.ts', 'socketio'], port: 'SOCKETIO_PORT' },
  'socketio-3': { args: ['gateways/main.ts', 'socketio'], port: 'SOCKETIO_PORT' },
} as const;
type Name = keyof typeof commands;

export function startPresenceSystem(env: Record<string, string> = {}): Promise<PresenceSystem> {
  return guarded(async (cleanup) => {
    const [nats, mongo, mosquitto] = await Promise.all([
      startNats().then((one) => cleanup.add(one, () => one.stop())),
      startMongo().then((one) => cleanup.add(one, () => one.stop())),
      startMosquitto({ packetLog: false }).then((one) => cleanup.add(one, () => one.stop())),
    ]);
    const all: Record<string, string> = {
      ...commonEnv,
      NATS_URL: nats.url,
      MONGODB_URL: mongo.url,
      MQTT_URL: mosquitto.url,
      JWT_SECRET: randomBytes(32).toString('base64url'),
      ENCRYPTION_KEYS: `test:${randomBytes(32).toString('base64')}`,
      HOST: '127.0.0.1',
      ...env,
    };
    const gateway = async (natsUrl: string) => {
      const port = await freePort();
      const env = { ...all, NATS_URL: natsUrl, SOCKETIO_PORT: String(port) };
      const args = ['gateways/main.ts', 'socketio'];
      return startProduct({ name: 'another gateway', args, env, operatorUrl: `http://127.0.0.1:${port}` });
    };
    const processes: Record<string, ProductProcess> = {};
    const run = async (name: Name): Promise<string> => {
      const port = await freePort();
      const operatorUrl = `http://127.0.0.1:${port}`;
      const { args, port: variable } = commands[name];
      const product = { name, args, operatorUrl, env: { ...all, [variable]: String(port) } };
      processes[name] = cleanup.add(await startProduct(product), (one) => one.stop());
      return operatorUrl;
    };
    const names = Object.keys(commands) as Name[];
    const urls = new Map<Name, string>();
    // A few at a time: all at once take longer than one may.
    for (let at = 0; at < names.length; at += 3) {
      const wave = names.slice(at, at + 3);
      const started = await Promise.allSettled(wave.map(run));
      for (const [index, one] of started.entries()) {
        if (one.status === 'rejected') throw one.reason;
        urls.set(wave[index] as Name, one.value);
      }
    }
    const urlsOf = (kind: string) =>
      names.filter((name) => name.startsWith(kind)).map((name) => urls.get(name) as string);
    return {
      nats,
      mosquitto,
      httpUrls: urlsOf('http'),
      socketioUrls: urlsOf('socketio'),
      mqttUrls: [mosquitto.url],
      adminPassword,
      apiKey,
      processes,
      env: all,
      gateway,
      stop: () => cleanup.run(),
    };
  });
}
