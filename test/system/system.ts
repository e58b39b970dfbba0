import type { MosquittoServer } from '../servers/mosquitto.ts';
import type { NatsServer } from '../servers/nats.ts';
import type { ProductProcess } from './process.ts';

/** A whole Trigate, made of the product's own commands. */
export interface System {
  readonly httpUrls: readonly string[];
  readonly socketioUrls: readonly string[];
  /** Of the brokers clients connect to: one, or none where MQTT is not served. */
  readonly mqttUrls: readonly string[];
  readonly adminPassword: string;
  /** The first API key; it acts as administrator. */
  readonly apiKey: string;
  /** By name: `all`, or `services-1`, `http-1`, `socketio-2`, … */
  readonly processes: Readonly<Record<string, ProductProcess>>;
  /** What the processes were started with, by name of the variable. */
  readonly env: Readonly<Record<string, string>>;
  readonly nats?: NatsServer;
  readonly mosquitto?: MosquittoServer;
  /** Ends everything and removes its files. */
  stop(): Promise<void>;
}

export const adminPassword = 's3cret-of-the-administrator';
export const apiKey = 's3cret-first-api-key';

/** What every process of a test is given: no limits, no waiting, credentials that are known. */
export const commonEnv = {
  RATE_LIMIT_CONNECTIONS: '0',
  RATE_LIMIT_MESSAGES: '0',
  RATE_LIMIT_HTTP: '0',
  SOCKETS_PER_USER: '0',
  DRAIN_DELAY_MS: '0',
  ADMIN_PASSWORD: adminPassword,
  API_KEY: apiKey,
  LOG_LEVEL: 'warn',
} as const;

/** What has to be undone, in reverse order; one failure does not keep the rest from being undone. */
export class Cleanup {
  readonly #steps: (() => unknown)[] = [];

  add<T>(value: T, undo: (value: T) => unknown): T {
    this.#steps.push(() => undo(value));
    return value;
  }

  /** @throws AggregateError of what failed, after everything was tried */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be stopped');
  }
}

/** Runs `build`; where it throws, what it started is stopped. */
export async function guarded<T>(build: (cleanup: Cleanup) => Promise<T>): Promise<T> {
  const cleanup = new Cleanup();
  try {
    return await build(cleanup);
  } catch (error) {
    await cleanup.run().catch(() => {});
    throw error;
  }
}
