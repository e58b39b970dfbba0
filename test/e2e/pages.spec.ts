import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { startBrowser } from '../servers/browser.ts';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

let system: System;
let browser: Browser;
let page: Page;
let errors: string[];

beforeAll(async () => {
  system = await startOneProcess();
  browser = await startBrowser();
  page = await browser.newPage();
  errors = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
});
afterAll(async () => {
  await browser?.close();
  await system?.stop();
});

describe('in a browser', () => {
  test('the first page says what runs here and leads to Swagger UI, which runs a command', async () => {
    await page.goto(`${system.httpUrls[0]}/`);
    expect(await page.title()).toBe('Trigate');
    await page.click('text=Swagger UI');
    const login = page.locator('#operations-auth-authCreate');
    await login.click();
    await login.locator('text=Try it out').click();
    await login.locator('textarea').fill(JSON.stringify({ username: 'admin', password: system.adminPassword }));
    await login.locator('button.execute').click();
    const status = login.locator('.live-responses-table .response .response-col_status');
    await status.first().waitFor();
    expect(await status.first().textContent()).toBe('201');
    expect(errors).toEqual([]);
  });

  test('every link of the first page leads somewhere', async () => {
    await page.goto(`${system.httpUrls[0]}/`);
    const links = await page
      .locator('a')
      .evaluateAll((all) => all.map((link) => (link as unknown as { href: string }).href));
    expect(links.length).toBeGreaterThan(5);
    for (const link of links) expect([link, (await fetch(link)).status]).toEqual([link, 200]);
  });
});
