// For tests and pictures: the dashboard over a database of its own, and a real browser that visits it.
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { type Browser, chromium } from 'playwright-core';
import { migrateCli } from '../../common/migrate/cli.ts';
import { seed } from '../seed.ts';
import { testApp } from '../testing.ts';

const MIGRATIONS_DIR = new URL('../prisma/migrations', import.meta.url).pathname;

/** Nothing but the pages: no updates, no synchronisation, no first-run greetings. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** @throws Error that says what to install */
function chromiumPath(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = folders.map(folder => join(folder, 'chromium')).find(path => existsSync(path));
  if (found === undefined) throw new Error('Chromium is not here: apt-get install chromium');
  return found;
}

/** A browser with an empty profile of its own, which is gone when it is closed. */
export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath(), headless: true, args: FLAGS });

/** Brings an empty database up to date, with `movements` sample movements and what belongs to them. */
export async function prepareMarket(databaseUrl: string, movements: number): Promise<void> {
  const environment = { DATABASE_URL: databaseUrl, MIGRATIONS_DIR };
  const runs = [['up'], ...(movements > 0 ? [['seed', '--movements', String(movements)]] : [])];
  for (const args of runs) {
    const code = await migrateCli({ args, environment, seed });
    if (code !== 0) throw new Error(`migrate ${args.join(' ')} ended with ${code}`);
  }
}

export type Served = { readonly app: FastifyInstance; readonly origin: string };

/** The whole dashboard on a port of the loopback interface. */
export async function serveDashboard(databaseUrl: string, environment: Record<string, string> = {}): Promise<Served> {
  const { app } = testApp({
    environment: { DATABASE_URL: databaseUrl, DASHBOARD_RATELIMIT_ENABLED: 'false', ...environment },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { app, origin: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}` };
}
