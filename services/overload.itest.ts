import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { migrateCli } from './common/migrate/cli.ts';
import { query, startPostgres, type TestPostgres } from './common/testing/postgres.ts';
import { API_KEY, testApp as dashboardApp } from './dashboard/testing.ts';
import { testApp as devshelfApp, SCRAPE_TOKEN } from './devshelf/testing.ts';

let postgres: TestPostgres;
const urls: Record<'devshelf' | 'dashboard', string> = { devshelf: '', dashboard: '' };
beforeAll(async () => {
  postgres = await startPostgres();
  for (const name of ['devshelf', 'dashboard'] as const) {
    urls[name] = await postgres.createDatabase(name);
    const MIGRATIONS_DIR = new URL(`${name}/prisma/migrations`, import.meta.url).pathname;
    expect(await migrateCli({ args: ['up'], environment: { DATABASE_URL: urls[name], MIGRATIONS_DIR } })).toBe(0);
  }
}, 60_000);
afterAll(() => postgres?.remove());

let app: FastifyInstance | undefined;
afterEach(async () => app?.close());

const SERVICES = {
  devshelf: {
    open: (environment: Record<string, string>) => devshelfApp({ environment }),
    // through Prisma and past it
    routes: ['/api/v1/resources', '/api/v1/auth/refresh'],
    body: { detail: 'Service Unavailable' },
  },
  dashboard: {
    open: (environment: Record<string, string>) =>
      dashboardApp({ environment: { ...environment, DASHBOARD_CACHE_SECONDS: '0' } }),
    routes: ['/api/summary', '/api/providers'],
    body: { error: 'Servicio saturado' },
  },
} as const;

function serving(name: keyof typeof SERVICES, environment: Record<string, string> = {}) {
  const { open } = SERVICES[name];
  const built = open({
    DATABASE_URL: urls[name],
    DB_POOL_MAX: '1',
    DB_POOL_TIMEOUT_MS: '500',
    SHED_LOAD: 'true',
    ...environment,
  });
  app = built.app;
  const headers = { 'x-api-key': API_KEY, authorization: `Bearer ${SCRAPE_TOKEN}` };
  const ask = (url: string) =>
    url.endsWith('/refresh')
      ? built.app.inject({ method: 'POST', url, payload: { refresh_token: `dsr_${'x'.repeat(43)}` } })
      : built.app.inject({ url, headers });
  const shed = async (reason: string) => {
    const { body } = await ask('/metrics');
    return Number(new RegExp(`^http_requests_shed_total\\{reason="${reason}"\\} (\\d+)$`, 'm').exec(body)?.[1]);
  };
  return { ...built, ask, shed };
}

const names = ['devshelf', 'dashboard'] as const;

const runAll = (database: ReturnType<typeof serving>['database'], statements: readonly string[]) =>
  Promise.allSettled(statements.map(text => ('pool' in database ? database.pool.query(text) : database.sql(text))));

test.each(names)('%s: nothing is shed, and that is said from the first scrape on', async name => {
  const { shed } = serving(name);
  expect([await shed('event_loop'), await shed('database')]).toEqual([0, 0]);
});

test.each(names)('%s: who finds no free connection while others are answered is told to come back', async name => {
  const { database, ask, shed } = serving(name);
  await runAll(database, ['SELECT 1']);
  // the second one gives back its connection long after the timeout of those behind it
  const queued = runAll(database, ['SELECT pg_sleep(0.3)', 'SELECT pg_sleep(2)']);
  const answers = await Promise.all(SERVICES[name].routes.map(ask));
  for (const answer of answers) {
    expect([answer.statusCode, answer.json()]).toEqual([503, SERVICES[name].body]);
    expect(answer.headers['retry-after']).toBe('2');
  }
  expect((await shed('database')) + (await shed('event_loop'))).toBe(answers.length);
  await queued;
  for (const route of SERVICES[name].routes) expect([200, 401]).toContain((await ask(route)).statusCode);
});

test.each(names)('%s: a queue that is long already grows no longer, and probes get in', async name => {
  const { database, ask, shed } = serving(name, { DB_POOL_TIMEOUT_MS: '900' });
  const queued = runAll(database, ['SELECT pg_sleep(0.3)', ...Array(41).fill('SELECT 1')]);
  const [first = ''] = SERVICES[name].routes;
  expect((await ask(first)).statusCode).toBe(503);
  expect((await ask('/ready')).statusCode).toBe(200);
  expect(await shed('database')).toBe(1);
  await queued;
  expect((await ask(first)).statusCode).toBe(200);
});

test.each(names)(
  '%s: a database that answers nobody is no overload',
  async name => {
    const { ask, shed } = serving(name);
    const [first = ''] = SERVICES[name].routes;
    expect((await ask(first)).statusCode).toBe(200);
    postgres.pause();
    try {
      const answers = await Promise.all(Array.from({ length: 5 }, () => ask(first)));
      expect(answers.map(({ statusCode }) => statusCode).filter(status => status !== 500)).toEqual([]);
    } finally {
      postgres.resume();
    }
    expect(await shed('database')).toBe(0);
    expect(await query(postgres.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  },
  30_000,
);

test.each(names)('%s: a process that gets too little of a core turns requests away until it has more', async name => {
  const { ask, shed } = serving(name);
  const [first = ''] = SERVICES[name].routes;
  const statuses: number[] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const until = performance.now() + 600;
    while (performance.now() < until) Math.sqrt(until);
    // the timer, then the request
    await new Promise(resolve => setTimeout(resolve, 1));
    statuses.push((await ask(first)).statusCode);
  }
  expect(statuses.at(-1)).toBe(503);
  expect(await shed('event_loop')).toBeGreaterThan(0);
  await new Promise(resolve => setTimeout(resolve, 250));
  expect((await ask(first)).statusCode).toBe(200);
});
