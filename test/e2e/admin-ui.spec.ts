import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { Cast, next } from '../integration/seeds/cast.ts';
import { startBrowser } from '../servers/browser.ts';
import { startOneProcess } from '../system/one-process.ts';
import { serveFiles } from '../system/sdk.project.ts';
import type { System } from '../system/system.ts';

const packaged = createRequire(import.meta.url).resolve('@socket.io/admin-ui');

let system: System;
let cast: Cast;
let files: Awaited<ReturnType<typeof serveFiles>>;
let browser: Browser;

beforeAll(async () => {
  files = await serveFiles(join(dirname(packaged), '../ui/dist'));
  system = await startOneProcess({ SOCKETIO_ADMIN_UI: 'on', CORS_ORIGINS: files.origin });
  cast = await Cast.of(system);
  browser = await startBrowser();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  cast?.closeSockets();
  files?.close();
  await system?.stop();
});

test('Socket.IO’s own Admin UI logs in, shows a socket and ends it', async () => {
  const { user, admin } = cast.people;
  const page = await browser.newPage();
  page.setDefaultTimeout(10_000);
  // Fonts and icons of elsewhere.
  await page.route(/googleapis|jsdelivr/, (route) => route.abort());
  const socket = await cast.connect(user);
  await page.goto(`${files.origin}/index.html`);
  await page.getByLabel('Server URL').fill(system.socketioUrls[0] as string);
  await page.getByLabel('Username').fill(admin.username);
  await page.getByLabel('Password').fill('wrong');
  const connect = page.getByRole('button', { name: 'Connect', exact: true });
  await connect.click();
  await page.locator('text=Invalid credentials >> visible=true').waitFor();
  await page.getByLabel('Password').fill(admin.password);
  await connect.click();
  await page.locator('text=Status: connected >> visible=true').first().waitFor();

  const list = () => page.goto(`${files.origin}/index.html#/sockets/`);
  const row = (id: string) => page.locator('tr', { hasText: id });
  const other = await cast.connect(user);
  const [id, otherId] = [socket.id as string, other.id as string];
  await list();
  await row(otherId).waitFor();
  const gone = next(socket, 'disconnect');
  await row(id).getByRole('button').click();
  expect(await gone).toBe('io server disconnect');
  await list();
  await row(otherId).waitFor();
  await row(id).waitFor({ state: 'detached' });
  expect(other.connected).toBe(true);

  // The page comes back with the session it was given, without the password.
  const third = await cast.connect(user);
  await page.reload();
  await row(third.id as string).waitFor();
});
