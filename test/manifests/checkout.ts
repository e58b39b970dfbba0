import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repository } from './local.ts';

/** A copy of the manifests with secrets made as the documentation says; those of the repository are not touched. */
export async function copyManifests(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'trigate-manifests-'));
  const copied = ['k8s', 'docs/mqtt', 'docker-compose.yml', 'secrets/generate.sh', 'secrets/kustomization.yaml'];
  for (const path of copied) await cp(join(repository, path), join(folder, path), { recursive: true });
  await makeSecrets(folder);
  return folder;
}

export const makeSecrets = (folder: string) => promisify(execFile)('sh', [join(folder, 'secrets', 'generate.sh')]);

/** The command of the image's health check. */
export async function imageHealthCheck(): Promise<string[]> {
  const text = await readFile(join(repository, 'Dockerfile'), 'utf8');
  const [, list] = /^HEALTHCHECK (?:.|\\\n)*?CMD (\[.*\])$/m.exec(text) ?? [];
  return JSON.parse(list ?? '[]') as string[];
}
