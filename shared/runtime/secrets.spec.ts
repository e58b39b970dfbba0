import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ConfigError, loadConfig } from './config.ts';
import { completeSecrets } from './secrets.ts';

let root: string;
let dataDir: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'trigate-secrets-'));
  dataDir = join(root, 'not', 'there', 'yet');
});
afterEach(() => rm(root, { recursive: true }));

const load = (env: NodeJS.ProcessEnv = {}) => loadConfig('all', { DATA_DIR: dataDir, ...env });

test('the first start makes the secrets, later ones read them', async () => {
  const first = await completeSecrets(load());
  expect(first.jwtSecret).toMatch(/^[\w-]{64}$/);
  expect(first.encryptionKeys?.map(({ key }) => key.length)).toEqual([32]);
  expect(await completeSecrets(load())).toEqual(first);
});

test('two installations do not share secrets', async () => {
  const first = await completeSecrets(load());
  const second = await completeSecrets(load({ DATA_DIR: join(root, 'other') }));
  expect(second.jwtSecret).not.toBe(first.jwtSecret);
  expect(second.encryptionKeys?.[0]?.key).not.toEqual(first.encryptionKeys?.[0]?.key);
});

test('only the owner reads the files, and no draft is left', async () => {
  await completeSecrets(load());
  expect((await readdir(dataDir)).sort()).toEqual(['encryption-keys', 'jwt-secret']);
  for (const name of await readdir(dataDir)) expect((await stat(join(dataDir, name))).mode & 0o777).toBe(0o600);
});

test('starts at the same time agree', async () => {
  const configs = await Promise.all(Array.from({ length: 20 }, () => completeSecrets(load())));
  for (const config of configs) expect(config).toEqual(configs[0]);
  expect(await readdir(dataDir)).toHaveLength(2);
});

test('what is configured is neither made nor read', async () => {
  const key = Buffer.alloc(32, 1).toString('base64');
  const config = load({ JWT_KEYS_FILE: '/keys.json', ENCRYPTION_KEYS: `a:${key}` });
  expect(await completeSecrets(config)).toEqual(config);
  await expect(readdir(dataDir)).rejects.toThrow('ENOENT');
});

test('a key that was added to the file by hand is read, and the file is not written again', async () => {
  await completeSecrets(load());
  const path = join(dataDir, 'encryption-keys');
  const text = `added:${Buffer.alloc(32, 1).toString('base64')},${await readFile(path, 'utf8')}`;
  await writeFile(path, text);
  const { encryptionKeys } = await completeSecrets(load());
  expect(encryptionKeys?.map(({ id }) => id)).toEqual(['added', expect.stringMatching(/^k\d{4}-\d\d$/)]);
  expect(await readFile(path, 'utf8')).toBe(text);
});

test('a damaged file stops the start in one line without what it holds', async () => {
  await completeSecrets(load());
  await writeFile(join(dataDir, 'encryption-keys'), 'hush');
  const refused = await completeSecrets(load()).catch((error: Error) => error);
  expect(refused).toBeInstanceOf(ConfigError);
  expect((refused as Error).message).toMatch(/^DATA_DIR: encryption-keys: item 1 is not valid; expected id:base64/);
  expect((refused as Error).message).not.toContain('hush');
});

test('a directory that cannot be made is named', async () => {
  await writeFile(join(root, 'not'), 'a file');
  await expect(completeSecrets(load())).rejects.toThrow('DATA_DIR: does not keep jwt-secret (ENOTDIR); expected');
});

test('the distributed roles make nothing', async () => {
  const config = loadConfig('gateway:http', { DATA_DIR: dataDir, NATS_URL: 'nats://a', JWT_SECRET: 'x'.repeat(16) });
  expect(await completeSecrets(config)).toBe(config);
});
