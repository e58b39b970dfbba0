import type { NatsConnection } from 'nats';
import type { Bus } from '../fanout/bus.ts';
import { natsBus } from '../fanout/nats.bus.ts';
import { connectNats } from '../fanout/nats.connection.ts';
import { type Config, ConfigError, loadConfig, type Role } from './config.ts';
import { type Keyring, keyring } from './keyring.ts';
import type { Log } from './log.ts';

/** The configuration, or one line on standard error and exit 1. */
export function configOrExit(role: Role, env: NodeJS.ProcessEnv): Config {
  try {
    return loadConfig(role, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return exitWith(error.message);
  }
}

/** One line that says what is wrong, and exit 1. */
export function exitWith(message: string): never {
  process.stderr.write(`trigate: ${message.replace(/\s*\n\s*/g, ' ')}\n`);
  process.exit(1);
}

/** @throws Error in one line, for a key file that cannot be used */
export function keyringOf(config: Config): Keyring {
  if (config.jwtSecret === undefined && config.jwtKeysFile === undefined) {
    throw new Error('JWT_SECRET is missing');
  }
  try {
    return keyring(config.jwtKeysFile ? { keysFile: config.jwtKeysFile } : { secret: config.jwtSecret as string });
  } catch (error) {
    throw new Error(`JWT_KEYS_FILE cannot be used: ${(error as Error).message}`);
  }
}

/** The one NATS connection of a distributed process: calls and fan-out share it. */
export async function connectBus(
  config: Config,
  name: string,
  log: Log,
): Promise<{ connection: NatsConnection; bus: Bus }> {
  const connection = await connectNats(config.natsUrl as string[], name);
  return {
    connection,
    bus: await natsBus(connection, { prefix: config.natsPrefix, replicas: config.natsReplicas, log }),
  };
}
