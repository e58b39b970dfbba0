import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type KubeObject, titleOf } from './objects.ts';

const root = join(import.meta.dirname, '..', '..');
const options = '--noEmit --ignoreConfig --strict --skipLibCheck --module nodenext --target es2024'.split(' ');

/**
 * Keys that Kubernetes does not know, such as `readinesProbe`. kubernetes-models lets them pass, as the API's
 * description does not forbid them, but an object written out as TypeScript may have no key its type has not.
 */
export async function unknownKeys(objects: readonly KubeObject[]): Promise<string[]> {
  // Under node_modules, so that the types are found and nothing else looks at the file.
  const folder = join(root, 'node_modules', '.cache', `trigate-manifests-${process.pid}-${Date.now()}`);
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'objects.ts');
  const lines = objects.map(
    (object, at) =>
      `export const o${at}: import('kubernetes-models/${object.apiVersion}').I${object.kind} = ${JSON.stringify(object)};`,
  );
  await writeFile(file, lines.join('\n'));
  try {
    const output = await compile(file);
    return [...output.matchAll(/objects\.ts\((\d+),\d+\): error \w+: (.*)/g)].map(
      ([, line, message]) => `${titleOf(objects[Number(line) - 1] as KubeObject)}: ${message}`,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** @throws Error where the compiler itself fails: it then names no line of the file */
function compile(file: string): Promise<string> {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [tsc, ...options, file], { cwd: root }, (error, stdout) => {
      if (error && !/objects\.ts\(\d+/.test(stdout)) reject(new Error(`tsc: ${stdout || error.message}`));
      else resolve(stdout);
    });
  });
}
