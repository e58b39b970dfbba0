import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { startNats } from '../../test/servers/nats.ts';
import type { Contender, StartOptions } from './contender.types.ts';
import { answers, freePorts, Started } from './processes.ts';

const folder = new URL('../peers', import.meta.url).pathname;

/** Installs what the peers are made of, the first time. @throws Error with npm's last words */
export async function installPeers(): Promise<void> {
  const there = await access(`${folder}/node_modules/@nestjs/core/package.json`).then(
    () => true,
    () => false,
  );
  if (!there) await promisify(execFile)('npm', ['ci', '--ignore-scripts'], { cwd: folder, timeout: 180_000 });
}

const peers = {
  'moleculer-web': { file: 'moleculer.cjs', auth: 'on' },
  nestjs: { file: 'nest.cjs', auth: 'on' },
  'nestjs-without-auth': { file: 'nest.cjs', auth: 'off' },
} as const;
export type PeerName = keyof typeof peers;

/** @param recordsFile JSON with the records that are served where the store is memory */
export async function startPeer(name: PeerName, options: StartOptions, recordsFile: string): Promise<Contender> {
  const { file, auth } = peers[name];
  const started = new Started();
  try {
    const [port] = (await freePorts(1)) as [number];
    const url = `http://127.0.0.1:${port}`;
    const common = {
      BENCH_PORT: `${port}`,
      BENCH_AUTH: auth,
      BENCH_RECORDS: recordsFile,
      BENCH_MONGODB_URL: options.mongodbUrl,
      JWT_SECRET: options.jwtSecret,
    };
    const up = answers(`${url}/`, 404);
    if (options.mode === 'one process') {
      await started.node(file, [`bench/peers/${file}`, 'all'], common, up);
    } else {
      const nats = started.helper(await startNats({ jetstream: false }));
      const env = { ...common, NATS_URL: nats.url };
      await started.node(`${file} service`, [`bench/peers/${file}`, 'service'], env, async () => true);
      await started.node(`${file} gateway`, [`bench/peers/${file}`, 'gateway'], env, up);
    }
    return started.contender({ http: url });
  } catch (error) {
    await started.stop();
    throw error;
  }
}
