import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Browser, chromium } from 'playwright-core';
import { testApp } from './testing.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
}, 60_000);
afterAll(() => browser?.close());

test('the docs show every route in a real browser, without an error and without another host', async () => {
  const { app } = testApp();
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  const page = await browser.newPage();
  const [complaints, elsewhere]: [string[], string[]] = [[], []];
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(error.message));
  page.on('request', request => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) elsewhere.push(request.url());
  });
  try {
    await page.goto(`${origin}/docs`);
    await page.waitForSelector('.opblock');
    const { paths } = (await app.inject('/openapi.json')).json();
    const routes = Object.values(paths as Record<string, object>).flatMap(operations => Object.keys(operations));
    expect(await page.locator('.opblock').count()).toBe(routes.length);
    expect(await page.locator('.btn.authorize').count()).toBe(1);

    const welcome = page.locator('#operations-default-get_root');
    await welcome.click();
    await welcome.getByRole('button', { name: 'Try it out' }).click();
    await welcome.getByRole('button', { name: 'Execute' }).click();
    await welcome.getByText('¡Bienvenido a la API').first().waitFor();
    expect([complaints, elsewhere]).toEqual([[], []]);
  } finally {
    await page.close();
    await app.close();
  }
}, 60_000);
