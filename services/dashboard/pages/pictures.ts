// The pictures of the documentation, of sample data:   node services/dashboard/pages/pictures.ts [folder]
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { startPostgres } from '../../common/testing/postgres.ts';
import { launchBrowser, prepareMarket, serveDashboard } from './browser.ts';

const FOLDER = process.argv[2] ?? new URL('../../../docs/images', import.meta.url).pathname;

const PICTURES = [
  { name: 'dashboard-desktop-light', path: '/', colorScheme: 'light', width: 1280, height: 1240, scale: 1 },
  { name: 'dashboard-phone-dark', path: '/', colorScheme: 'dark', width: 390, height: 844, scale: 2 },
] as const;

async function take(browser: Browser, origin: string, picture: (typeof PICTURES)[number]): Promise<void> {
  const { name, path, colorScheme, width, height, scale } = picture;
  const context = await browser.newContext({
    colorScheme,
    locale: 'es-AR',
    viewport: { width, height },
    deviceScaleFactor: scale,
  });
  const page = await context.newPage();
  await page.goto(origin + path, { waitUntil: 'networkidle' });
  await page.locator('.drawn canvas').first().waitFor();
  const devtools = await context.newCDPSession(page);
  const { data } = await devtools.send('Page.captureScreenshot', { format: 'webp', quality: 80 });
  const file = join(FOLDER, `${name}.webp`);
  writeFileSync(file, Buffer.from(data, 'base64'));
  console.log(`${file}: ${Math.round(statSync(file).size / 1_000)} kB`);
  await context.close();
}

mkdirSync(FOLDER, { recursive: true });
const postgres = await startPostgres();
const url = await postgres.createDatabase('pictures');
await prepareMarket(url, 40_000);
const { app, origin } = await serveDashboard(url);
const browser = await launchBrowser();
for (const picture of PICTURES) await take(browser, origin, picture);
await browser.close();
await app.close();
await postgres.remove();
