import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { createHttpClient } from '../../clients/sdk/index.ts';
import { startBrowser } from '../servers/browser.ts';
import { freePort } from '../servers/ports.ts';
import type { Running } from '../servers/process.ts';
import { startOneProcess } from '../system/one-process.ts';
import { type SdkProject, sdkProject, serveFiles, session } from '../system/sdk.project.ts';
import type { System } from '../system/system.ts';

const read = (file: string) => readFile(new URL(`../../${file}`, import.meta.url), 'utf8');

let project: SdkProject;
let pages: Awaited<ReturnType<typeof serveFiles>>;
let system: System;
let url: string;
let token: string;
let readme: string;
let seed: string;

beforeAll(async () => {
  [readme, seed] = await Promise.all([read('clients/sdk/README.md'), read('test/seeds/002.md')]);
  project = await sdkProject();
  pages = await serveFiles(project.directory);
  system = await startOneProcess({ CORS_ORIGINS: pages.origin });
  url = system.httpUrls[0] as string;
  const payload = { username: 'admin', password: system.adminPassword };
  token = (await createHttpClient({ url }).call('auth.create', { payload })).bearer;
}, 180_000);
afterAll(async () => {
  await system?.stop();
  pages?.close();
  await project?.remove();
});

const example = (name: string) =>
  session(readme, name)
    .replace('http://127.0.0.1:3000', url)
    .replace('the password that was shown', system.adminPassword)
    .replace('your-token-here', token);

describe('the package, installed into an empty project', () => {
  test('runs the example of its README in Node.js', async () => {
    await project.write('example.ts', example('client'));
    expect((await project.run('example.ts')).split('\n')).toEqual([
      'connected ',
      'new camera Front door true',
      '1 Front door',
      'NOT_FOUND Not found',
      'closed CLOSED',
      '',
    ]);
  });

  test('has declarations that need nothing else, for its README and for the seed', async () => {
    await project.write('example.ts', example('client'));
    await project.write('client.ts', session(seed, 'client'));
    await project.write('server.ts', session(seed, 'server'));
    expect(await project.check('example.ts', 'client.ts', 'server.ts')).toBe('');
  });

  test('has declarations that refuse what is no command, parameter or field', async () => {
    const lines = [
      "import { createClient } from '@trigate/sdk';",
      "const client = createClient({ url: 'http://x' });",
      "client.call('cameras.lst');",
      "client.call('cameras.read');",
      "client.call('cameras.create', { payload: { name: 1, source: '' } });",
      "client.call('cameras.list').then(({ sum }) => sum);",
      "client.on('camera:created', ({ details }) => details.nme);",
      "client.on('camera:*', ({ event }) => event === 'creatd');",
      "client.on('collection:update', (data) => data.anything);",
    ];
    await project.write('wrong.ts', lines.join('\n'));
    const said = await project.check('wrong.ts');
    expect([...said.matchAll(/^wrong\.ts\((\d+),/gm)].map(([, line]) => Number(line))).toEqual([3, 4, 5, 6, 7, 8]);
  });
});

const post = (at: string, headers: Record<string, string> = {}) =>
  fetch(at, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: session(seed, 'body'),
  });
const pushed = { entity: 'users', action: 'update', id: 123 };

describe('the code of seed 002, but for port and token', () => {
  let gateway: Running;
  let port: number;
  const code = (name: string) => session(seed, name).replaceAll('4000', String(port)).replace('your-token-here', token);

  beforeAll(async () => {
    port = await freePort();
    await project.write('server.ts', code('server'));
    gateway = await project.start('server.ts', /running on port/, { TRIGATE_URL: url, TRIGATE_TOKEN: system.apiKey });
  });
  afterAll(() => gateway?.stop());

  test('carries a POST to a client in Node.js', async () => {
    await project.write('client.ts', code('client'));
    const client = await project.start('client.ts', /^Connected: \S{20}$/);
    try {
      const heard = client.line(/^Received update:/);
      const response = await post(`http://localhost:${port}/collection:update`);
      expect([response.status, await response.json()]).toEqual([
        200,
        { success: true, recipients: 1, timestamp: expect.any(String) },
      ]);
      expect(await heard).toBe("Received update: { entity: 'users', action: 'update', id: 123 }");
    } finally {
      await client.stop();
    }
  });

  test('carries a POST to a page, through the driver and at Trigate itself', async () => {
    await project.write(
      'seed.html',
      `<script type="importmap">{"imports":{"@medyll/idae-socket":"/node_modules/@trigate/sdk/dist/trigate.min.js"}}</script>
       <script type="module">${code('client')}</script>`,
    );
    const browser = await startBrowser();
    try {
      const page = await browser.newPage();
      const connected = page.waitForEvent('console', (message) => message.text().startsWith('Connected:'));
      await page.goto(`${pages.origin}/seed.html`);
      await connected;
      for (const [at, headers] of [
        [`http://localhost:${port}`, {}],
        [url, { 'x-api-key': system.apiKey }],
      ] as const) {
        const heard = page.waitForEvent('console', (message) => message.text().startsWith('Received update:'));
        expect((await post(`${at}/collection:update`, headers)).status).toBe(200);
        expect(await (await heard).args()[1]?.jsonValue()).toEqual(pushed);
      }
    } finally {
      await browser.close();
    }
  });
});

describe('bundled, in Chromium', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await startBrowser();
    page = await browser.newPage();
  });
  afterAll(() => browser?.close());

  test('the page of the README knows who it is', async () => {
    await project.write('page.html', `<body>${example('page')}`);
    await page.goto(`${pages.origin}/page.html`);
    await page.locator('text=I am admin').waitFor();
  });

  test('calls, hears events, and comes back when Trigate was restarted', async () => {
    const source = "export * from '@trigate/sdk';";
    const entry = await project.write('app.ts', source);
    await build({ entryPoints: [entry], outfile: join(project.directory, 'app.js'), bundle: true, format: 'esm' });
    await page.goto(`${pages.origin}/page.html`);
    const states: string[] = [];
    const waiting = new Map<string, () => void>();
    await page.exposeFunction('tell', (what: string) => {
      states.push(what);
      waiting.get(what)?.();
    });
    const told = (what: string) => new Promise<void>((resolve) => waiting.set(what, resolve));
    const run = (script: string) => page.evaluate(`(async () => { ${script} })()`);
    await run(`
      const { createClient, HttpDriver } = await import('/app.js');
      globalThis.client = createClient({ url: '${url}', token: '${token}' });
      client.onStatus(({ state }) => tell(state));
      client.on('camera:created', ({ details }) => tell(details.name));
      try { new HttpDriver() } catch (error) { tell(error.message) }
    `);
    expect(await run("return (await client.call('auth.read')).username")).toBe('admin');
    expect(await run("return client.call('cameras.read', { entity: 'none' }).catch(({ code }) => code)")).toBe(
      'NOT_FOUND',
    );
    const create = (name: string) =>
      createHttpClient({ url, token }).call('cameras.create', { payload: { name, source: 'rtsp://camera.example/1' } });
    const before = told('before');
    await create('before');
    await before;

    const back = told('connected');
    await system.processes.all?.restart();
    await back;
    const after = told('after');
    await create('after');
    await after;
    expect(states.filter((what) => what !== 'reconnecting')).toEqual([
      expect.stringContaining('HttpDriver is a server'),
      'connected',
      'before',
      'connected',
      'after',
    ]);
  });

  test('it is small, and has nothing of Node.js or zod in it', async () => {
    const bundle = await readFile(join(project.directory, 'node_modules/@trigate/sdk/dist/trigate.min.js'));
    expect(gzipSync(bundle).length).toBeLessThan(17_500);
    expect(String(bundle)).not.toMatch(/node:|ZodObject/);
  });
});
