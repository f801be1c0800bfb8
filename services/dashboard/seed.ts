import type { Client } from 'pg';
import * as z from 'zod';
import { seedOf } from '../common/migrate/seed.ts';
import { insertColumns } from '../common/seeding.ts';
import { CATEGORIES, SUPPLIERS } from './seed-catalogue.ts';
import { type Market, makeMarket } from './seed-market.ts';

const MOVEMENTS_MAX = 10_000_000;
const DAY_MS = 86_400_000;
/** a day written as a date ends at midnight in Argentina */
const END_OF_DAY_MS = DAY_MS + 3 * 3_600_000;

const flags = z.object({
  movements: z.coerce
    .number(`must be a number, 1 to ${MOVEMENTS_MAX}`)
    .int()
    .min(1)
    .max(MOVEMENTS_MAX)
    .default(5_000)
    .describe('movements of stock, 1 to 10000000; the rest follows from it (5000)'),
  seed: z.coerce.number('must be a whole number').int().default(1).describe('the same seed gives the same market (1)'),
  until: z
    .union(
      [z.iso.date(), z.iso.datetime()],
      'must be a date like 2026-11-22, or a moment in UTC like 2026-11-22T15:00:00Z',
    )
    .optional()
    .describe('last day, or moment, of its history; a day that is not over yet ends now (now)'),
});

/** Sample rows: a market with a history. Does nothing when there are rows already. */
export const seed = seedOf(flags, async (client, { movements, seed, until }) => {
  if (!(await isEmpty(client))) return;
  const market = makeMarket({ movements, seed, untilMs: momentOf(until, Date.now()) });
  await client.query('BEGIN');
  await writeCatalogue(client, market);
  await writeOrders(client, market);
  await writeHistory(client, market);
  for (const table of NUMBERED)
    await client.query(`SELECT setval('${table}_id_seq', greatest(max(id), 1)) FROM ${table}`);
  await client.query('COMMIT');
  // folds what the triggers noted down one by one, as the dashboard would do every minute
  await client.query('SELECT resumenes_plegar()');
  // the planner would learn about so many new rows only some minutes later
  await client.query(`VACUUM (ANALYZE) ${[...NUMBERED, ...SUMMARIES].join(', ')}`);
});

const NUMBERED = [
  'proveedores',
  'categorias',
  'productos',
  'pedidos',
  'detalle_pedidos',
  'movimientos_stock',
  'facturas_ocr',
] as const;

const SUMMARIES = ['pedidos', 'productos', 'movimientos'].flatMap(what => [`resumen_${what}`, `cambios_${what}`]);

async function isEmpty(client: Client): Promise<boolean> {
  const some = NUMBERED.map(table => `EXISTS (SELECT FROM ${table})`).join(' OR ');
  const { rows } = await client.query<{ some: boolean }>(`SELECT ${some} AS some`);
  return rows[0]?.some === false;
}

function momentOf(until: string | undefined, nowMs: number): number {
  if (until === undefined) return nowMs;
  const given = Date.parse(until);
  return until.includes('T') ? given : Math.min(given + END_OF_DAY_MS - 1, Math.max(nowMs, given));
}

const text = (name: string, values: readonly string[]) => ({ name, type: 'text', values });
const integer = (name: string, values: readonly number[]) => ({ name, type: 'int', values });
const moment = (name: string, values: readonly number[]) => ({ name, type: 'timestamptz', values });
/** Rows are numbered from 1 in the order they are written, so an index plus one is a reference. */
const ids = (rows: readonly unknown[]) =>
  integer(
    'id',
    rows.map((_, index) => index + 1),
  );

async function writeCatalogue(client: Client, { products }: Market): Promise<void> {
  const categories = Object.keys(CATEGORIES);
  await insertColumns(client, 'proveedores', [
    ids(SUPPLIERS),
    text(
      'codigo',
      SUPPLIERS.map(({ codigo }) => codigo),
    ),
    text(
      'nombre',
      SUPPLIERS.map(({ nombre }) => nombre),
    ),
    { name: 'activo', type: 'bool', values: SUPPLIERS.map(({ leftDaysAgo }) => String(leftDaysAgo === undefined)) },
  ]);
  await insertColumns(client, 'categorias', [ids(categories), text('nombre', categories)]);
  await insertColumns(client, 'productos', [
    ids(products),
    text(
      'codigo',
      products.map(({ codigo }) => codigo),
    ),
    text(
      'nombre',
      products.map(({ nombre }) => nombre),
    ),
    integer(
      'categoria_id',
      products.map(({ categoria }) => categories.indexOf(categoria) + 1),
    ),
    integer(
      'proveedor_id',
      products.map(({ supplier }) => supplier + 1),
    ),
    integer(
      'stock_actual',
      products.map(({ stock }) => stock),
    ),
    integer(
      'stock_minimo',
      products.map(({ minimum }) => minimum),
    ),
  ]);
  await client.query(
    `INSERT INTO configuracion_sistema (clave, valor)
     VALUES ('moneda', 'ARS'), ('zona_horaria', 'America/Argentina/Buenos_Aires') ON CONFLICT DO NOTHING`,
  );
}

async function writeOrders(client: Client, { orders }: Market): Promise<void> {
  await insertColumns(client, 'pedidos', [
    ids(orders),
    integer(
      'proveedor_id',
      orders.map(({ supplier }) => supplier + 1),
    ),
    moment(
      'fecha_pedido',
      orders.map(({ placedMs }) => placedMs),
    ),
    text(
      'estado',
      orders.map(({ state }) => state),
    ),
  ]);
  const lines = orders.flatMap((order, index) => order.lines.map(line => ({ ...line, order: index })));
  await insertColumns(client, 'detalle_pedidos', [
    ids(lines),
    integer(
      'pedido_id',
      lines.map(({ order }) => order + 1),
    ),
    integer(
      'producto_id',
      lines.map(({ product }) => product + 1),
    ),
    integer(
      'cantidad',
      lines.map(({ units }) => units),
    ),
  ]);
}

async function writeHistory(client: Client, { movements, invoices, orders }: Market): Promise<void> {
  await insertColumns(client, 'movimientos_stock', [
    ids(movements.atMs),
    integer(
      'producto_id',
      movements.product.map(product => product + 1),
    ),
    text('tipo', movements.kind),
    integer('cantidad', movements.units),
    moment('fecha', movements.atMs),
  ]);
  const suppliers = invoices.map(({ order }) => orders[order]?.supplier ?? 0);
  await insertColumns(client, 'facturas_ocr', [
    ids(invoices),
    integer(
      'proveedor_id',
      suppliers.map(supplier => supplier + 1),
    ),
    text(
      'archivo',
      suppliers.map(
        (supplier, index) => `factura-${SUPPLIERS[supplier]?.codigo}-${String(index + 1).padStart(6, '0')}.pdf`,
      ),
    ),
    text(
      'estado',
      invoices.map(({ state }) => state),
    ),
    moment(
      'creada_en',
      invoices.map(({ readMs }) => readMs),
    ),
  ]);
}
