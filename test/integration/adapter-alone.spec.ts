import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { startNats } from '../servers/nats.ts';
import { freePort } from '../servers/ports.ts';
import { start } from '../servers/process.ts';
import { openSocket } from '../system/clients/socketio.client.ts';
import { plainEnv } from '../system/process.ts';
import { session } from '../system/sdk.project.ts';
import { Cleanup } from '../system/system.ts';
import { next } from './seeds/cast.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const packages = ['nats', 'socket.io', 'socket.io-adapter', 'socket.io-parser'];

test('the adapter runs in a program that has nothing else of Trigate, as its README says', async () => {
  const cleanup = new Cleanup();
  try {
    const nats = cleanup.add(await startNats(), (one) => one.stop());
    const project = await mkdtemp(join(tmpdir(), 'trigate-adapter-'));
    cleanup.add(project, (path) => rm(path, { recursive: true }));
    await mkdir(join(project, 'node_modules'));
    for (const name of packages) await symlink(join(root, 'node_modules', name), join(project, 'node_modules', name));
    await cp(join(root, 'shared/fanout/adapter'), join(project, 'adapter'), { recursive: true });
    await writeFile(join(project, 'package.json'), '{"type":"module"}');
    const readme = await readFile(join(project, 'adapter/README.md'), 'utf8');
    const servers = await Promise.all(
      ['one.ts', 'two.ts'].map(async (file) => {
        const port = await freePort();
        const code = session(readme, 'server').replace('nats://127.0.0.1:4222', nats.url).replace('3000', String(port));
        await writeFile(join(project, file), code);
        const command = { name: file, command: process.execPath, args: [file], cwd: project, env: plainEnv() };
        cleanup.add(await start({ ...command, ready: /listening/ }), (one) => one.stop());
        return `http://127.0.0.1:${port}`;
      }),
    );
    for (const url of servers) {
      const socket = cleanup.add(await openSocket(url, null), (one) => one.disconnect());
      expect(await next(socket, 'time')).toEqual(expect.any(Number));
    }
  } finally {
    await cleanup.run();
  }
}, 60_000);
