import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { migrateCli } from '../common/migrate/cli.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { seed } from './seed.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;
let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.remove());

async function emptyMarket(name: string) {
  const url = await postgres.createDatabase(name);
  const migrate = (...args: string[]) => migrateCli({ args, environment: { DATABASE_URL: url, MIGRATIONS_DIR }, seed });
  expect(await migrate('up')).toBe(0);
  return { url, migrate };
}

const CONTENT = `SELECT md5(string_agg(line, ',' ORDER BY line)) AS content FROM (
  SELECT movimientos_stock::text AS line FROM movimientos_stock UNION ALL
  SELECT pedidos::text FROM pedidos UNION ALL SELECT detalle_pedidos::text FROM detalle_pedidos UNION ALL
  SELECT productos::text FROM productos UNION ALL SELECT facturas_ocr::text FROM facturas_ocr) AS lines`;

test('a market of the size that was asked for, the same for the same seed, and written once', async () => {
  const flags = ['seed', '--movements', '30000', '--until', '2026-10-31'];
  const [first, second, other] = [await emptyMarket('first'), await emptyMarket('second'), await emptyMarket('other')];
  expect(await first.migrate(...flags, '--seed', '7')).toBe(0);
  expect(await second.migrate(...flags, '--seed', '7')).toBe(0);
  expect(await other.migrate(...flags, '--seed', '8')).toBe(0);
  const content = await query(first.url, CONTENT);
  expect(await query(second.url, CONTENT)).toEqual(content);
  expect(await query(other.url, CONTENT)).not.toEqual(content);
  expect(await query(first.url, 'SELECT count(*)::int AS n FROM movimientos_stock')).toEqual([{ n: 30_000 }]);

  expect(await first.migrate('seed', '--seed', '9')).toBe(0);
  expect(await query(first.url, CONTENT)).toEqual(content);
}, 60_000);

test('stock is what came in less what went out, and new rows find their place behind the sample', async () => {
  const { url, migrate } = await emptyMarket('consistent');
  expect(await migrate('seed')).toBe(0);
  const wrong = await query(
    url,
    `SELECT productos.codigo FROM productos JOIN movimientos_stock AS m ON m.producto_id = productos.id
     GROUP BY productos.id
     HAVING stock_actual <> sum(CASE WHEN m.tipo IN ('ingreso', 'entrada') THEN m.cantidad ELSE -m.cantidad END)`,
  );
  expect(wrong).toEqual([]);
  await query(url, "INSERT INTO proveedores (codigo, nombre) VALUES ('NUEVO', 'Nuevo')");
  await query(url, 'INSERT INTO pedidos (proveedor_id) VALUES (1)');
  await query(url, "INSERT INTO movimientos_stock (producto_id, tipo, cantidad) VALUES (1, 'ingreso', 1)");
}, 60_000);

test('a market that has rows of its own is left alone', async () => {
  const { url, migrate } = await emptyMarket('in_use');
  await query(url, "INSERT INTO categorias (nombre) VALUES ('Propia')");
  expect(await migrate('seed')).toBe(0);
  expect(await query(url, 'SELECT count(*)::int AS n FROM productos')).toEqual([{ n: 0 }]);
}, 60_000);

test.each([
  [['seed', '--movements', 'many']],
  [['seed', '--movements', '0']],
  [['seed', '--until', 'tomorrow']],
  [['seed', '--sede', '1']],
  [['up', '--movements', '10']],
])('%j is misused', async args => {
  expect(await migrateCli({ args, environment: { DATABASE_URL: postgres.url, MIGRATIONS_DIR }, seed })).toBe(2);
});

test('--help needs no database', async () => {
  expect(await migrateCli({ args: ['seed', '--help'], environment: {}, seed })).toBe(0);
});
