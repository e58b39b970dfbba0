import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Config, ConfigError, parseVariable } from './config.ts';
import type { VariableName } from './config.variables.ts';

/** Names below `DATA_DIR`. Both hold what the variable of the same name would, so that keys can be added by hand. */
export const secretFiles = { jwtSecret: 'jwt-secret', encryptionKeys: 'encryption-keys' } as const;

/**
 * Fills in what one process needs and was not given: `jwtSecret` and `encryptionKeys` are read from `DATA_DIR`, where
 * the first start makes them. The other roles get their configuration back.
 * @throws ConfigError where a file cannot be made or does not hold a secret.
 */
export async function completeSecrets(config: Config): Promise<Config> {
  if (config.role !== 'all') return config;
  const makesSecret = !config.jwtSecret && !config.jwtKeysFile;
  const completed = {
    ...config,
    ...(makesSecret && { jwtSecret: await kept(config, 'JWT_SECRET', secretFiles.jwtSecret, newSecret) }),
    ...(!config.encryptionKeys && {
      encryptionKeys: await kept(config, 'ENCRYPTION_KEYS', secretFiles.encryptionKeys, newKey),
    }),
  };
  return Object.freeze(completed);
}

const newSecret = () => randomBytes(48).toString('base64url');
/** The id has its month, which is enough to tell keys apart that were added over the years. */
const newKey = () => `k${new Date().toISOString().slice(0, 7)}:${randomBytes(32).toString('base64')}`;

async function kept<N extends VariableName>({ dataDir }: Config, name: N, file: string, make: () => string) {
  const path = join(dataDir, file);
  const text = await readOrMake(path, make).catch((error: NodeJS.ErrnoException) => {
    throw new ConfigError('DATA_DIR:', `does not keep ${file} (${error.code})`, 'a directory that can be written');
  });
  const value = parseVariable(name, text.trim(), `DATA_DIR: ${file}`);
  Object.freeze(value);
  return value;
}

async function readOrMake(path: string, make: () => string): Promise<string> {
  const found = await readIfThere(path);
  if (found !== undefined) return found;
  await createWhole(path, `${make()}\n`);
  return readFile(path, 'utf8');
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * A link appears with the whole file behind it and fails where there is one: a crash leaves no half a secret, and of
 * two processes that start at once both read the same. Synced, since what it encrypts may reach the disk first.
 */
async function createWhole(path: string, text: string): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeSynced(draft, text);
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  await syncDirectory(directory);
}

async function writeSynced(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Windows has no handle of a directory to sync. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
