import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { generated } from './generated.ts';

/** `npm run generate` writes what is made from the contracts and the variables; `--check` only says what is stale. */
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const root = new URL('../', import.meta.url);

/** Empty for a file that is not there yet. */
function read(file: string): string {
  try {
    return readFileSync(new URL(file, root), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

const { version } = JSON.parse(read('package.json')) as { version: string };

for (const [file, make] of Object.entries(generated(version))) {
  const before = read(file);
  const after = make(before);
  if (after === before) continue;
  if (values.check) {
    console.error(`${file} is stale: npm run generate`);
    process.exitCode = 1;
  } else {
    writeFileSync(new URL(file, root), after);
    console.log(`${file} written`);
  }
}
