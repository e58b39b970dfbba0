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

/** @param recordsFile JSON with the records that are served where the store is memory */
export async function startPeer(file: string, options: StartOptions, recordsFile: string): Promise<Contender> {
  const started = new Started();
  try {
    const [port] = (await freePorts(1)) as [number];
    const url = `http://127.0.0.1:${port}`;
    const common = {
      BENCH_PORT: `${port}`,
      BENCH_RECORDS: recordsFile,
      BENCH_MONGODB_URL: options.mongodbUrl,
      JWT_SECRET: options.jwtSecret,
    };
    // Without a token each peer answers 401 as soon as it listens.
    const up = answers(`${url}/api/cameras`, 401);
    if (options.mode === 'one process') {
      await started.node(file, [`bench/peers/${file}`, 'all'], common, up);
    } else {
      const nats = started.add(await startNats({ jetstream: false }));
      const env = { ...common, NATS_URL: nats.url };
      await started.node(`${file} service`, [`bench/peers/${file}`, 'service'], env, async () => true);
      await started.node(`${file} gateway`, [`bench/peers/${file}`, 'gateway'], env, up);
    }
    return { urls: { http: url }, pids: started.pids, stop: () => started.stop() };
  } catch (error) {
    await started.stop();
    throw error;
  }
}
