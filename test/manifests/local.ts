import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { type Running, start } from '../servers/process.ts';
import type { Workload } from './workload.ts';

export const repository = join(import.meta.dirname, '..', '..');

/** What differs between a container and a process of this machine; everything else is the manifest's. */
export interface Substitutions {
  /** Made to hold the files of the container. */
  folder: string;
  /** `nats:4222` to `127.0.0.1:31999`, and whole URLs. */
  addresses: Record<string, string>;
  /** Variables that are set instead, such as ports and the listen address. */
  env?: Record<string, string>;
  /** Directories with commands the image has. */
  path?: string[];
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Each of `from`, longest first, as a whole: not where more of a name or of a path goes on. */
function replacer(pairs: Record<string, string>): (text: string) => string {
  const names = Object.keys(pairs).sort((one, other) => other.length - one.length);
  if (names.length === 0) return (text) => text;
  const pattern = new RegExp(`(?<![\\w.-])(?:${names.map(escaped).join('|')})(?![\\w.-])`, 'g');
  return (text) => text.replace(pattern, (match) => pairs[match] as string);
}

/**
 * Writes the mounted files below a folder, where `text` may change them.
 * @returns what turns a text with paths of the container into one with paths of this machine
 */
export function placeFiles(
  { files, directories }: Workload,
  folder: string,
  text: (content: string) => string,
): (value: string) => string {
  const places = [...directories, ...Object.keys(files)];
  const local = replacer(Object.fromEntries(places.map((path) => [path, join(folder, path)])));
  for (const directory of directories) mkdirSync(join(folder, directory), { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text(local(content)), { mode: 0o600 });
  }
  return local;
}

/** A container's command and variables, for this machine. */
export function localProcess(workload: Workload, { folder, addresses, env = {}, path = [] }: Substitutions) {
  const address = replacer(addresses);
  const local = placeFiles(workload, folder, address);
  const change = (text: string) => address(local(text));
  const [command = '', ...args] = workload.command.map(change);
  const changed = Object.fromEntries(Object.entries(workload.env).map(([name, value]) => [name, change(value)]));
  const commands = [dirname(process.execPath), ...path, process.env.PATH ?? ''].join(delimiter);
  return { command, args, env: { PATH: commands, ...changed, ...env }, cwd: repository };
}

/** The container's own command with its own environment as a process of this machine. @throws Error with its output */
export const startWorkload = (
  workload: Workload,
  substitutions: Substitutions,
  ready: RegExp | (() => Promise<boolean>),
): Promise<Running> => start({ name: workload.name, ...localProcess(workload, substitutions), ready, timeout: 25_000 });

/** Whether a GET is answered 200. */
export const answers200 = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(5_000) }).then(
    async (response) => {
      await response.body?.cancel();
      return response.status === 200;
    },
    () => false,
  );
