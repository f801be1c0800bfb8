import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { migrateCli } from '../common/migrate/cli.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { until } from '../common/testing/processes.ts';
import { seed } from './seed.ts';
import { API_KEY, testApp } from './testing.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;
const headers = { 'x-api-key': API_KEY };

let postgres: TestPostgres;
let databaseUrl: string;
let app: FastifyInstance;

const migrate = (...args: string[]) =>
  migrateCli({ args, environment: { DATABASE_URL: databaseUrl, MIGRATIONS_DIR }, seed });

beforeAll(async () => {
  postgres = await startPostgres();
  databaseUrl = await postgres.createDatabase('dashboard');
  expect(await migrate('up')).toBe(0);
  app = testApp({ environment: { DATABASE_URL: databaseUrl } }).app;
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
  expect((await app.inject('/')).body).toContain('Ningún producto');
});

test('sample rows are written once', async () => {
  expect(await migrate('seed')).toBe(0);
  const count = () => query(databaseUrl, 'SELECT count(*) FROM pedidos');
  const before = await count();
  expect(await migrate('seed')).toBe(0);
  expect(await count()).toEqual(before);
});

test('the figures are those of a small market that was written by hand', async () => {
  const url = await postgres.createDatabase('by_hand');
  const environment = { DATABASE_URL: url, MIGRATIONS_DIR };
  expect(await migrateCli({ args: ['up'], environment })).toBe(0);
  await query(
    url,
    `INSERT INTO proveedores (codigo, nombre, activo) VALUES ('A', 'Arcor', true), ('B', 'Bodega', true), ('C', 'Cerrado', false);
     INSERT INTO productos (codigo, nombre, stock_actual, stock_minimo) VALUES ('P1', 'Yerba', 3, 10), ('P2', 'Pan', 10, 10);
     INSERT INTO pedidos (proveedor_id, fecha_pedido) VALUES
       (1, now()), (1, now() - interval '8 days'), (1, now() - interval '31 days'), (2, now());
     INSERT INTO detalle_pedidos (pedido_id, producto_id, cantidad) VALUES (1, 1, 5), (1, 2, 2), (4, 1, 1);
     INSERT INTO movimientos_stock (producto_id, tipo, cantidad, fecha) VALUES
       (1, 'ingreso', 5, now()), (1, 'salida', 2, now() - interval '8 days');
     INSERT INTO facturas_ocr (archivo, estado) VALUES ('a.pdf', 'procesado'), ('b.pdf', 'error');`,
  );
  const { app: byHand } = testApp({ environment: { DATABASE_URL: url } });
  const read = async (path: string) => (await byHand.inject({ url: path, headers })).json();
  expect(await read('/api/summary')).toEqual({
    total_proveedores: 2,
    total_pedidos: 4,
    total_productos_pedidos: 8,
    total_movimientos: 2,
    facturas_procesadas: 1,
    pedidos_mes: 3,
    movimientos_semana: 1,
    proveedor_top: { nombre: 'Arcor', pedidos: 3 },
  });
  expect(await read('/api/providers')).toEqual([
    { codigo: 'A', nombre: 'Arcor', total_pedidos: 3, total_productos: 7, pedidos_semana: 1, pedidos_mes: 2 },
    { codigo: 'B', nombre: 'Bodega', total_pedidos: 1, total_productos: 1, pedidos_semana: 1, pedidos_mes: 1 },
  ]);
  const page = await byHand.inject('/');
  expect(page.headers['content-type']).toContain('text/html');
  expect(page.body).toContain('<td>Yerba</td>');
  expect(page.body).not.toContain('<td>Pan</td>');
  await byHand.close();
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
      expect(answer.ms).toBeLessThan(2_000);
    }
    const ready = await timed('/ready');
    expect([ready.status, JSON.parse(ready.body)]).toEqual([
      503,
      { status: 'unavailable', dependencies: { database: 'failed' } },
    ]);
    expect(ready.ms).toBeLessThan(1_000);
    const health = await timed('/health');
    expect([health.status, JSON.parse(health.body)]).toEqual([
      503,
      expect.objectContaining({ status: 'unhealthy', database: 'error' }),
    ]);
    expect((await timed('/live')).status).toBe(200);
  } finally {
    postgres.resume();
  }
  await until('it serves again', serves, 5_000);
}, 30_000);

test('a database that is stopped gives a quick 500; once it is back so is the service', async () => {
  await until('it serves', serves);
  await postgres.stop();
  const answer = await timed('/api/providers');
  expect(answer.status).toBe(500);
  expect(answer.body).toBe('{"error":"Error interno"}');
  expect(answer.ms).toBeLessThan(2_000);
  expect((await timed('/ready')).status).toBe(503);
  await postgres.start();
  await until('it serves again', serves, 5_000);
}, 30_000);
