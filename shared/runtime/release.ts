import { readFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** What runs here. An image that was built from a commit says so in a file beside package.json. */
export const release = { version, commit: commit() };

function commit(): string {
  try {
    return readFileSync(new URL('../../COMMIT', import.meta.url), 'utf8')
      .trim()
      .slice(0, 64);
  } catch {
    return 'unknown';
  }
}
