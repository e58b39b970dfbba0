import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * `npm run build:sdk`, and before `npm pack`: JavaScript and declarations of the same sources, one file each, and one
 * minified module for pages that have no bundler.
 */
const path = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const versionOf = (file: string) => (JSON.parse(readFileSync(path(file), 'utf8')) as { version: string }).version;

if (versionOf('package.json') !== versionOf('../../package.json'))
  throw new Error('the SDK has the version of Trigate');

rmSync(path('dist'), { recursive: true, force: true });
const tsc = fileURLToPath(new URL('bin/tsc', import.meta.resolve('typescript/package.json')));
execFileSync(process.execPath, [tsc, '--project', path('tsconfig.json')], { stdio: 'inherit' });
// tsc leaves the paths in declarations as they are written; a `.ts` there means nothing to older compilers.
for (const file of readdirSync(path('dist')).filter((name) => name.endsWith('.d.ts'))) {
  const text = readFileSync(path(`dist/${file}`), 'utf8');
  writeFileSync(path(`dist/${file}`), text.replace(/(from '\.\/[\w.-]+)\.ts'/g, "$1.js'"));
}
await build({
  entryPoints: [path('dist/index.browser.js')],
  outfile: path('dist/trigate.min.js'),
  bundle: true,
  minify: true,
  banner: {
    js: '/*! @trigate/sdk, MIT. With socket.io-client, MIT, (c) Guillermo Rauch and Socket.IO contributors */',
  },
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  logLevel: 'warning',
});
copyFileSync(path('../../LICENSE'), path('LICENSE'));
