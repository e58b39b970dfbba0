import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Running, start } from '../servers/process.ts';
import { plainEnv } from './process.ts';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url).pathname;
const npmMs = 120_000;

/** A project of somebody else: nothing in it but the package as npm packs it, under both of its names. */
export interface SdkProject {
  readonly directory: string;
  write(file: string, text: string): Promise<string>;
  /** A file of the project under Node.js; it is ready when a line of its output matches. */
  start(file: string, ready: RegExp, env?: Record<string, string>): Promise<Running>;
  /** What a file prints until it ends. @throws Error where it fails or takes longer than 20 s */
  run(file: string): Promise<string>;
  /** What tsc says of files of the project; empty where nothing is wrong. */
  check(...files: string[]): Promise<string>;
  remove(): Promise<void>;
}

const npm = (cwd: string, ...args: string[]) =>
  run('npm', [...args, '--no-audit', '--no-fund'], { cwd, timeout: npmMs, env: process.env });

/** The block of a Markdown text that stands below `<!-- session:name -->`. @throws Error where there is none */
export function session(text: string, name: string): string {
  const block = new RegExp(`<!-- session:${name} -->\\n\`\`\`\\w+\\n([^]*?)\\n\`\`\``).exec(text)?.[1];
  if (!block) throw new Error(`there is no session ${name}`);
  return block;
}

/** Packs the SDK, which builds it, and installs it into a new directory. */
export async function sdkProject(): Promise<SdkProject> {
  const directory = await mkdtemp(join(tmpdir(), 'trigate-sdk-'));
  const write = async (file: string, text: string) => {
    await writeFile(join(directory, file), text);
    return join(directory, file);
  };
  try {
    await npm(join(root, 'clients/sdk'), 'pack', '--pack-destination', directory);
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    const pack = `./trigate-sdk-${version}.tgz`;
    await write('package.json', '{"private":true,"type":"module"}');
    await npm(directory, 'install', '--prefer-offline', pack, `@medyll/idae-socket@file:${pack}`);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    directory,
    write,
    start: (file, ready, env = {}) =>
      start({
        name: file,
        command: process.execPath,
        args: [file],
        cwd: directory,
        env: { ...plainEnv(), ...env },
        ready,
      }),
    run: async (file) =>
      (await run(process.execPath, [file], { cwd: directory, timeout: 20_000, env: plainEnv() })).stdout,
    check: async (...files) => {
      const args = ['--ignoreConfig', '--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom'];
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      const command = [tsc, ...args, '--module', 'nodenext', '--types', '', ...files];
      return run(process.execPath, command, { cwd: directory, timeout: npmMs }).then(
        ({ stdout }) => stdout,
        (error: { stdout: string }) => error.stdout,
      );
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };

/** Serves the files of a directory to a browser, on an origin of its own. */
export async function serveFiles(directory: string): Promise<{ origin: string; close(): void }> {
  const server = createServer(async ({ url = '/' }, response) => {
    const file = await readFile(join(directory, new URL(url, 'http://x').pathname)).catch(() => undefined);
    response.writeHead(file ? 200 : 404, { 'content-type': types[extname(url)] ?? 'text/plain' });
    response.end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
