import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { migrateCli } from '../common/migrate/cli.ts';
import { askDocumented } from '../common/testing/documented.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { until } from '../common/testing/processes.ts';
import { seed } from './seed.ts';
import { API_KEY, testApp } from './testing.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;
const headers = { 'x-api-key': API_KEY };

const ROUTES = [
  '/api/summary',
  '/api/providers',
  '/api/stock-timeline',
  '/api/top-products',
  '/api/trends',
  '/api/stock-by-provider',
  '/api/weekly-sales',
];

let postgres: TestPostgres;
let databaseUrl: string;
let app: FastifyInstance;

const migrate = (...args: string[]) =>
  migrateCli({ args, environment: { DATABASE_URL: databaseUrl, MIGRATIONS_DIR }, seed });

beforeAll(async () => {
  postgres = await startPostgres();
  databaseUrl = await postgres.createDatabase('dashboard');
  expect(await migrate('up')).toBe(0);
  // every answer from the database: what is kept would hide that it is gone
  app = testApp({ environment: { DATABASE_URL: databaseUrl, DASHBOARD_CACHE_SECONDS: '0' } }).app;
}, 60_000);
afterAll(async () => {
  await app?.close();
  await postgres?.remove();
});

const get = async (url: string) => (await app.inject({ url, headers })).json();

test('an empty market', async () => {
  expect(await get('/api/summary')).toEqual({
    total_proveedores: 0,
    total_pedidos: 0,
    total_productos_pedidos: 0,
    total_movimientos: 0,
    facturas_procesadas: 0,
    pedidos_mes: 0,
    movimientos_semana: 0,
    proveedor_top: { nombre: 'N/A', pedidos: 0 },
  });
  expect(await get('/api/providers')).toEqual([]);
  for (const path of ['stock-timeline', 'top-products', 'stock-by-provider', 'weekly-sales']) {
    expect(await get(`/api/${path}`)).toEqual([]);
  }
  expect(await get('/api/trends')).toEqual({ pedidos_mensuales: [], movimientos_mensuales: [] });
  expect((await app.inject('/')).statusCode).toBe(200);
  expect((await app.inject({ url: '/api/export/summary.csv', headers })).body).toMatch(/\r\n0,0,0,0,0,0,0,N\/A,0\r\n$/);
});

test('/health says what monitors compare it with', async () => {
  expect(await get('/health')).toEqual({
    status: 'healthy',
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    database: 'connected',
    services: { dashboard: 'ok', analytics: 'ok', api: 'ok' },
  });
});

test('sample rows are written once', async () => {
  expect(await migrate('seed')).toBe(0);
  const count = () => query(databaseUrl, 'SELECT count(*) FROM pedidos');
  const before = await count();
  expect(await migrate('seed')).toBe(0);
  expect(await count()).toEqual(before);
});

test('every answer is one that the OpenAPI document promises', async () => {
  const searches = ['', '?limit=2&days=90&months=24&weeks=52', '?limit=0&days=-1&months=99&weeks=1000'];
  const filters = [
    '?start_date=2026-01-01&proveedor=a',
    '?start_date=0001-01-01&end_date=9999-12-31',
    '?end_date=0099-01-01',
    '?start_date=9999-12-31',
    '?start_date=2026-12-31&end_date=2026-01-01',
    '?end_date=2026-06-30&start_date=2026-13-01',
    '?limit=x&days=x&months=x&weeks=x',
  ];
  for (const path of [...ROUTES, '/health', '/ready', '/live']) {
    for (const search of [...searches, ...filters])
      await askDocumented(app, { method: 'GET', url: path + search, headers });
    await askDocumented(app, { method: 'GET', url: path });
  }
  for (const name of ['summary', 'providers', 'top-products']) {
    const url = `/api/export/${name}.csv`;
    expect((await askDocumented(app, { method: 'GET', url, headers })).body).toMatch(/^\w+(,\w+)+\r\n/);
    await askDocumented(app, { method: 'GET', url });
  }
  await askDocumented(app, { method: 'GET', url: '/metrics' });
  await askDocumented(app, { method: 'GET', url: '/metrics', headers });
});

const timed = async (url: string) => {
  const begun = performance.now();
  const response = await app.inject({ url, headers });
  return { status: response.statusCode, body: response.body, ms: performance.now() - begun };
};

const serves = async () => (await timed('/api/summary')).status === 200 && (await timed('/ready')).status === 200;

test('a database that stands still costs each request two seconds at most, and nothing needs a restart afterwards', async () => {
  await until('it serves', serves);
  postgres.pause();
  try {
    const answers = await Promise.all([...Array(12).keys()].map(() => timed('/api/summary')));
    for (const answer of answers) {
      expect(answer.status).toBe(500);
      expect(JSON.parse(answer.body)).toEqual({ error: 'Error interno' });
      expect(answer.ms).toBeLessThan(6_000);
    }
    const ready = await timed('/ready');
    expect([ready.status, JSON.parse(ready.body)]).toEqual([
      503,
      { status: 'unavailable', dependencies: { database: 'failed' } },
    ]);
    expect(ready.ms).toBeLessThan(4_000);
    const health = await timed('/health');
    expect([health.status, JSON.parse(health.body)]).toEqual([
      503,
      {
        status: 'unhealthy',
        timestamp: expect.any(String),
        database: 'error',
        services: { dashboard: 'ok', analytics: 'degraded', api: 'degraded' },
      },
    ]);
    expect((await timed('/live')).status).toBe(200);
  } finally {
    postgres.resume();
  }
  await until('it serves again', serves);
}, 30_000);

test('a database that is stopped gives a quick 500; once it is back so is the service', async () => {
  await until('it serves', serves);
  await postgres.stop();
  for (const path of ROUTES) {
    const answer = await timed(path);
    expect([path, answer.status, answer.body]).toEqual([path, 500, '{"error":"Error interno"}']);
    expect(answer.ms).toBeLessThan(6_000);
  }
  for (const name of ['summary', 'providers', 'top-products']) {
    const file = await timed(`/api/export/${name}.csv`);
    expect(file.status).toBe(200); // today's scripts look into the file
    expect(file.body).toMatch(/^error,message\r\ntrue,Error obteniendo [a-z ]+\r\n$/);
  }
  expect((await timed('/ready')).status).toBe(503);
  await postgres.start();
  await until('it serves again', serves);
}, 30_000);
