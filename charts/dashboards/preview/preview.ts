// npm run preview:dashboards [-- folder [seconds]]
//
// Draws the dashboards' own JSON with data of the real services and operator, and takes pictures of it, 1400 and 700
// pixels wide, into build/dashboards; docs/images has those of 1400. It is not Grafana: what is drawn are grid, titles,
// units, legends, colours and marks of the file.
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { launchBrowser } from '../../../services/dashboard/pages/browser.ts';
import { type MonitoredStory, startMonitoredStory } from '../../../test-e2e/integration/monitored-story.ts';
import { DASHBOARDS } from '../generate.ts';
import { built } from '../panels.ts';
import { type DrawnDashboard, dataOf } from './data.ts';
import { pageOf } from './page.ts';

const [folder = join(import.meta.dirname, '../../../build/dashboards'), seconds = '180'] = process.argv.slice(2);
const WIDTHS = [1400, 700];
const UPLOT = createRequire(import.meta.url).resolve('uplot/package.json');
const read = (path: string): string => readFileSync(path, 'utf8');
const ASSETS = {
  uplot: read(join(UPLOT, '../dist/uPlot.iife.min.js')),
  uplotStyle: read(join(UPLOT, '../dist/uPlot.min.css')),
  style: read(join(import.meta.dirname, 'style.css')),
  draw: read(join(import.meta.dirname, 'draw.js')),
};

async function take(browser: Browser, dashboard: DrawnDashboard, name: string, width: number): Promise<void> {
  const context = await browser.newContext({ viewport: { width, height: 600 }, timezoneId: 'UTC', locale: 'en-GB' });
  const page = await context.newPage();
  page.on('pageerror', error => {
    throw error;
  });
  await page.setContent(pageOf(dashboard, ASSETS));
  await page.locator('body.drawn').waitFor();
  const height = await page.evaluate('document.documentElement.scrollHeight');
  await page.setViewportSize({ width, height: Number(height) });
  const devtools = await context.newCDPSession(page);
  const { data } = await devtools.send('Page.captureScreenshot', { format: 'webp', quality: 60 });
  const file = join(folder, `grafana-${name}-${width}.webp`);
  writeFileSync(file, Buffer.from(data, 'base64'));
  console.log(`${file}: ${Math.round(statSync(file).size / 1_000)} kB`);
  await context.close();
}

/** Traffic for so long, with a release that is taken back and one that stays in the middle of it. */
async function happen(story: MonitoredStory): Promise<void> {
  const over = new AbortController();
  const driven = story.traffic(over.signal);
  try {
    await sleep(Number(seconds) * 400);
    await story.releases();
    await sleep(Number(seconds) * 600);
  } finally {
    over.abort();
    await driven;
  }
}

mkdirSync(folder, { recursive: true });
const story = await startMonitoredStory();
try {
  const startedAt = Date.now();
  await happen(story);
  const endedAt = Date.now();
  const browser = await launchBrowser();
  try {
    for (const [name, spec] of Object.entries(DASHBOARDS)) {
      const drawn = await dataOf(built(spec), name, story, { from: startedAt, to: endedAt });
      for (const { title, empty } of drawn.panels) if (empty) console.log(`${name}: ${title}: nothing to draw`);
      for (const width of WIDTHS) await take(browser, drawn, name.replace('devshelf-', ''), width);
    }
  } finally {
    await browser.close();
  }
} finally {
  await story.remove();
}
