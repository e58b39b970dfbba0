import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../', import.meta.url));
const folders = ['services', 'gateways', 'shared', 'clients'];

/** `rule: from -> to` for every import that a rule forbids, below a directory. */
async function violations(cwd: string): Promise<string[]> {
  const script = join(root, 'node_modules/.bin/depcruise');
  const config = join(root, '.dependency-cruiser.cjs');
  const args = [script, '--config', config, '--output-type', 'json', 'main.ts', ...folders];
  const text = await new Promise<string>((resolve, reject) => {
    // It ends with the number of errors: the text tells more.
    execFile(process.execPath, args, { cwd, maxBuffer: 64e6, timeout: 25_000 }, (error, stdout, stderr) =>
      stdout.startsWith('{') ? resolve(stdout) : reject(error ?? new Error(stderr)),
    );
  });
  const { summary } = JSON.parse(text) as {
    summary: { violations: { rule: { name: string }; from: string; to: string }[] };
  };
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`).sort();
}

/** File by file what it imports, in a tree that breaks every rule once, and what keeps to them. */
const tree: Record<string, string[]> = {
  'main.ts': ['./services/a/a.ts', './gateways/http/http.ts'],
  'services/main.ts': ['./a/a.ts', './b/b.ts', './deps.ts'],
  'services/deps.ts': ['../shared/store/store.ts'],
  'services/a/a.ts': ['../deps.ts', '../b/b.ts', '../../shared/contracts/c.ts'],
  'services/b/b.ts': ['../../gateways/core/core.ts'],
  'services/b/b.spec.ts': ['../a/a.ts'],
  'gateways/core/core.ts': ['../../shared/fanout/bus.ts', '../mqtt/mqtt.ts'],
  'gateways/http/http.ts': ['../core/core.ts', '../../services/deps.ts'],
  'gateways/mqtt/mqtt.ts': ['../http/codec.ts'],
  'gateways/http/codec.ts': ['./gone.ts'],
  'shared/contracts/c.ts': ['zod', './d.ts', 'node:fs', '../runtime/log.ts'],
  'shared/contracts/d.ts': ['type ../../services/deps.ts'],
  'shared/fanout/bus.ts': ['../contracts/c.ts', './ring.ts'],
  'shared/fanout/ring.ts': ['./bus.ts'],
  'shared/fanout/adapter/adapter.ts': ['./wire.ts', 'nats', 'node:fs', 'zod', '../bus.ts', 'type ../ring.ts'],
  'shared/fanout/adapter/wire.ts': [],
  'shared/fanout/adapter/wire.spec.ts': ['../ring.ts'],
  'shared/runtime/log.ts': ['left'],
  'shared/runtime/config.ts': [],
  'shared/store/store.ts': ['type ../../gateways/core/core.ts'],
  'clients/cli/cli.ts': [
    '../../shared/contracts/d.ts',
    '../../shared/runtime/config.ts',
    '../../shared/runtime/log.ts',
  ],
  'clients/cli/run.ts': ['../../services/main.ts'],
};

const expected = [
  'adapter-alone: shared/fanout/adapter/adapter.ts -> node_modules/zod/index.js',
  'adapter-alone: shared/fanout/adapter/adapter.ts -> shared/fanout/bus.ts',
  'adapter-alone: shared/fanout/adapter/adapter.ts -> shared/fanout/ring.ts',
  'clients-outside: clients/cli/cli.ts -> shared/runtime/log.ts',
  'clients-outside: clients/cli/run.ts -> services/main.ts',
  'contracts-only-zod: shared/contracts/c.ts -> fs',
  'contracts-only-zod: shared/contracts/c.ts -> shared/runtime/log.ts',
  'contracts-only-zod: shared/contracts/d.ts -> services/deps.ts',
  'gateways-apart: gateways/core/core.ts -> gateways/mqtt/mqtt.ts',
  'gateways-apart: gateways/mqtt/mqtt.ts -> gateways/http/codec.ts',
  'gateways-without-services: gateways/http/http.ts -> services/deps.ts',
  'mains-on-top: clients/cli/run.ts -> services/main.ts',
  'no-dev-dependencies: shared/runtime/log.ts -> node_modules/left/index.js',
  'no-unresolved: gateways/http/codec.ts -> ./gone.ts',
  'services-apart: services/a/a.ts -> services/b/b.ts',
  'services-below-gateways: services/b/b.ts -> gateways/core/core.ts',
  'shared-below: shared/contracts/d.ts -> services/deps.ts',
  'shared-below: shared/store/store.ts -> gateways/core/core.ts',
];

async function plant(directory: string): Promise<void> {
  const files = Object.entries(tree).map(([path, imports]): [string, string] => {
    const lines = imports.map((from, index) =>
      from.startsWith('type ')
        ? `import type * as m${index} from '${from.slice(5)}';\nexport type T${index} = typeof m${index};`
        : `import * as m${index} from '${from}';\nexport const v${index}: unknown = m${index};`,
    );
    return [path, lines.join('\n')];
  });
  files.push([
    'package.json',
    JSON.stringify({ dependencies: { nats: '1', zod: '1' }, devDependencies: { left: '1' } }),
  ]);
  for (const name of ['zod', 'left', 'nats']) {
    files.push([`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' })]);
    files.push([`node_modules/${name}/index.js`, '']);
  }
  for (const [path, text] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), `${text}\n`);
  }
}

test('every import that breaks a rule is reported, and no other', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'trigate-rules-'));
  try {
    await plant(directory);
    const found = await violations(directory);
    // A circle is reported at each of its imports.
    expect(found.filter((line) => !line.startsWith('no-circular'))).toEqual(expected);
    expect(found).toContain('no-circular: shared/fanout/bus.ts -> shared/fanout/ring.ts');
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('no import of the project breaks a rule', async () => {
  expect(await violations(root)).toEqual([]);
});

const mains = ['main.ts', 'services/main.ts', 'gateways/main.ts', 'docs/generate.ts'];
const isMain = (path: string) => mains.includes(path) || path.startsWith('clients/cli/');
const readsEnvironment =
  /\bprocess\s*(\?\.|\.)\s*env\b|\bprocess\s*(\?\.)?\[\s*['"`]env|\{[^{}]*\benv\b[^{}]*\}\s*(=\s*process\b|from\s*['"](node:)?process['"])/;

test.each([
  'const port = process.env.PORT;',
  "const port = process['env'].PORT;",
  'const { env, pid } = process;',
  "import { env } from 'node:process';",
  'run(process\n  .env);',
])('%j reads the environment', (text) => {
  expect(text).toMatch(readsEnvironment);
});

test.each(['env: NodeJS.ProcessEnv', 'const { env } = options;', 'process.environment'])('%j does not', (text) => {
  expect(text).not.toMatch(readsEnvironment);
});

/** Seed 002 starts it without an argument, in a program of somebody else: nobody above could read it for this one. */
const driver = 'clients/sdk/http.driver.ts';

test('only the mains, and the driver of the SDK, read the environment', async () => {
  const sources: string[] = ['main.ts'];
  for (const folder of [...folders, 'docs']) {
    const names = await readdir(join(root, folder), { recursive: true });
    sources.push(...names.filter((name) => /(?<!\.spec)\.ts$/.test(name)).map((name) => join(folder, name)));
  }
  expect(sources.length).toBeGreaterThan(100);
  const readers: string[] = [];
  for (const path of sources) {
    if (!isMain(path) && readsEnvironment.test(await readFile(join(root, path), 'utf8'))) readers.push(path);
  }
  expect(readers).toEqual([driver]);
});
