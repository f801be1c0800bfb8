import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Pool } from 'pg';
import { migrateCli } from '../common/migrate/cli.ts';
import { startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { until } from '../common/testing/processes.ts';
import type { Cache } from './cache.ts';
import { createFigures, type Figures } from './figures.ts';
import { MARKET_TIME_ZONE } from './periods.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;
const noCache: Cache = { get: (_key, compute) => compute() };

let postgres: TestPostgres;
const pools: Pool[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(async () => {
  await Promise.all(pools.map(pool => pool.end()));
  await postgres?.remove();
});

async function market(name: string, today: string): Promise<{ pool: Pool; figures: Figures }> {
  const url = await postgres.createDatabase(name);
  expect(await migrateCli({ args: ['up'], environment: { DATABASE_URL: url, MIGRATIONS_DIR } })).toBe(0);
  const pool = new Pool({ connectionString: url, max: 3 });
  pools.push(pool);
  const sql = async <Row extends object>(text: string, values: readonly unknown[] = []) =>
    (await pool.query<Row>(text, [...values])).rows;
  return { pool, figures: createFigures({ sql, cache: noCache, today: () => today }) };
}

// Thursday 2026-01-08 is today. -03: the market's own time.
const BY_HAND = `
  INSERT INTO proveedores (codigo, nombre, activo) VALUES
    ('A', 'Arcor', true), ('B', 'Bodega 100%', true), ('C', 'Cerrado', false);
  INSERT INTO productos (codigo, nombre, proveedor_id, stock_actual, stock_minimo) VALUES
    ('P1', 'Yerba', 1, 3, 10), ('P2', 'Pan', 2, 10, 10), ('P3', 'Suelto', NULL, 0, 1);
  INSERT INTO pedidos (proveedor_id, fecha_pedido) VALUES
    (1, '2026-01-08 23:59-03'),  -- 1: today, though UTC says tomorrow
    (1, '2026-01-02 00:00-03'),  -- 2: the last of the seven days
    (1, '2026-01-01 23:59-03'),  -- 3: not in the week any more
    (1, '2025-12-10 00:00-03'),  -- 4: the last of the thirty days
    (2, '2025-12-09 23:59-03'),  -- 5: not in the month any more
    (2, '2025-12-31 22:00-03'),  -- 6: still last year
    (3, '2026-01-07 12:00-03');  -- 7: of a provider that is not active
  INSERT INTO detalle_pedidos (pedido_id, producto_id, cantidad) VALUES
    (1, 1, 5), (1, 2, 2), (1, 1, 1),  -- the same product twice is one order of it
    (2, 1, 10), (3, 2, 3), (4, 1, 1), (5, 2, 20), (6, 2, 4), (7, 3, 7);
  INSERT INTO movimientos_stock (producto_id, tipo, cantidad, fecha) VALUES
    (1, 'ingreso', 50, '2026-01-08 10:00-03'), (1, 'salida', 8, '2026-01-08 11:00-03'),
    (1, 'entrada', 5, '2026-01-08 12:00-03'), (2, 'egreso', 2, '2026-01-02 00:00-03'),
    (2, 'ingreso', 30, '2026-01-01 23:59-03'), (3, 'ajuste', 9, '2025-12-20 12:00-03'),
    (3, 'ingreso', 4, '2025-12-20 12:00-03');
  INSERT INTO facturas_ocr (archivo, estado) VALUES ('a.pdf', 'procesado'), ('b.pdf', 'error'), ('c.pdf', 'procesado');`;

test('each figure is that of a small market which was counted by hand', async () => {
  const { pool, figures } = await market('by_hand', '2026-01-08');
  await pool.query(BY_HAND);
  const check = async () => {
    expect(await figures.summary()).toEqual({
      total_proveedores: 2,
      total_pedidos: 7,
      total_productos_pedidos: 53,
      total_movimientos: 7,
      facturas_procesadas: 2,
      pedidos_mes: 6,
      movimientos_semana: 4,
      proveedor_top: { nombre: 'Arcor', pedidos: 4 },
    });
    expect(await figures.providers()).toEqual([
      { codigo: 'A', nombre: 'Arcor', total_pedidos: 4, total_productos: 22, pedidos_semana: 2, pedidos_mes: 4 },
      { codigo: 'B', nombre: 'Bodega 100%', total_pedidos: 2, total_productos: 24, pedidos_semana: 0, pedidos_mes: 1 },
    ]);
    expect(await figures.stockTimeline({ days: 7 })).toEqual([
      { fecha: '2026-01-08', tipo: 'entrada', movimientos: 1, productos: 5 },
      { fecha: '2026-01-08', tipo: 'ingreso', movimientos: 1, productos: 50 },
      { fecha: '2026-01-08', tipo: 'salida', movimientos: 1, productos: 8 },
      { fecha: '2026-01-02', tipo: 'egreso', movimientos: 1, productos: 2 },
    ]);
    expect(await figures.stockTimeline({ days: 1 })).toHaveLength(3);
    expect(await figures.topProducts({ limit: 10 })).toEqual([
      { producto: 'Pan', cantidad_total: 29, pedidos: 4, proveedor: 'Bodega 100%' },
      { producto: 'Yerba', cantidad_total: 17, pedidos: 3, proveedor: 'Arcor' },
      { producto: 'Suelto', cantidad_total: 7, pedidos: 1, proveedor: 'Cerrado' },
    ]);
    expect(await figures.topProducts({ limit: 1, offset: 1 })).toMatchObject([{ producto: 'Yerba' }]);
    expect(await figures.countTopProducts({})).toBe(3);
    // both days included, over the end of a month and of a year
    const january = { startDate: '2025-12-31', endDate: '2026-01-02' };
    expect(await figures.topProducts({ limit: 10, ...january })).toEqual([
      { producto: 'Yerba', cantidad_total: 10, pedidos: 1, proveedor: 'Arcor' },
      { producto: 'Pan', cantidad_total: 7, pedidos: 2, proveedor: 'Bodega 100%' },
    ]);
    expect(await figures.topProducts({ limit: 10, endDate: '2025-12-09' })).toEqual([
      { producto: 'Pan', cantidad_total: 20, pedidos: 1, proveedor: 'Bodega 100%' },
    ]);
    expect(await figures.topProducts({ limit: 10, proveedor: 'arc' })).toEqual([
      { producto: 'Yerba', cantidad_total: 17, pedidos: 3, proveedor: 'Arcor' },
      { producto: 'Pan', cantidad_total: 5, pedidos: 2, proveedor: 'Arcor' },
    ]);
    // a code that somebody has is that provider, though "B" is also in "Bodega" and "b" in nobody's code
    expect(await figures.countTopProducts({ proveedor: 'B' })).toBe(1);
    expect(await figures.countTopProducts({ proveedor: 'o' })).toBe(3);
    expect(await figures.countTopProducts({ proveedor: '_' })).toBe(0);
    expect(await figures.trends({ months: 1 })).toEqual({
      pedidos_mensuales: [{ mes: '2026-01', pedidos: 4, proveedores_activos: 2 }],
      movimientos_mensuales: [
        { mes: '2026-01', tipo: 'egreso', movimientos: 1, productos: 2 },
        { mes: '2026-01', tipo: 'entrada', movimientos: 1, productos: 5 },
        { mes: '2026-01', tipo: 'ingreso', movimientos: 2, productos: 80 },
        { mes: '2026-01', tipo: 'salida', movimientos: 1, productos: 8 },
      ],
    });
    expect((await figures.trends({ months: 2 })).pedidos_mensuales).toEqual([
      { mes: '2025-12', pedidos: 3, proveedores_activos: 2 },
      { mes: '2026-01', pedidos: 4, proveedores_activos: 2 },
    ]);
    expect(
      await figures.trends({ months: 1, startDate: '2025-12-15', endDate: '2026-01-01', proveedor: 'Bodega' }),
    ).toEqual({
      pedidos_mensuales: [{ mes: '2025-12', pedidos: 1, proveedores_activos: 1 }],
      movimientos_mensuales: [{ mes: '2026-01', tipo: 'ingreso', movimientos: 1, productos: 30 }],
    });
    // both vocabularies; what is neither in nor out does not count
    expect(await figures.stockByProvider({ limit: 10 })).toEqual([
      { codigo: 'A', nombre: 'Arcor', stock_total: 47 },
      { codigo: 'B', nombre: 'Bodega 100%', stock_total: 28 },
    ]);
    expect(await figures.stockByProvider({ limit: 1 })).toHaveLength(1);
    // Monday 2025-12-29 begins week 52; the days of it that are next year's are week 00; Monday 2026-01-05 begins 01
    expect(await figures.weeklySales({ weeks: 2 })).toEqual([
      { semana: '2025-52', pedidos: 1, productos: 4 },
      { semana: '2026-00', pedidos: 2, productos: 13 },
      { semana: '2026-01', pedidos: 2, productos: 15 },
    ]);
    expect(await figures.stockAlerts({ limit: 10 })).toEqual([
      { codigo: 'P1', nombre: 'Yerba', stock: 3, minimo: 10 },
      { codigo: 'P3', nombre: 'Suelto', stock: 0, minimo: 1 },
    ]);
  };
  await check();
  await pool.query('SELECT resumenes_plegar()');
  await check();
  await pool.query('SELECT resumenes_rehacer()');
  await check();
});

test('the database and the service name the same time zone', async () => {
  const { pool } = await market('zones', '2026-01-08');
  const { rows } = await pool.query(
    "SELECT bool_and(mercado_dia(t) = (t AT TIME ZONE $1)::date) AS same FROM generate_series('2026-01-01'::timestamptz, '2026-02-01', '13 min') t",
    [MARKET_TIME_ZONE],
  );
  expect(rows[0].same).toBe(true);
});

/** What the summaries must say, counted from the facts. */
const DIFFERENCES = `
  WITH contado_pedidos AS (
    SELECT g.es_mes, CASE WHEN g.es_mes THEN date_trunc('month', d::timestamp)::date ELSE d END AS periodo, proveedor_id,
           count(DISTINCT id) AS pedidos, coalesce(sum(cantidad), 0) AS productos
    FROM (SELECT o.id, mercado_dia(fecha_pedido) AS d, proveedor_id, l.cantidad
          FROM pedidos o LEFT JOIN detalle_pedidos l ON l.pedido_id = o.id) o, (VALUES (true), (false)) g(es_mes)
    GROUP BY 1, 2, 3
  ), sumado_pedidos AS (
    SELECT es_mes, periodo, proveedor_id, sum(pedidos) AS pedidos, sum(productos) AS productos FROM figuras_pedidos
    GROUP BY 1, 2, 3 HAVING sum(pedidos) <> 0 OR sum(productos) <> 0
  ), contado_productos AS (
    SELECT g.es_mes, CASE WHEN g.es_mes THEN date_trunc('month', d::timestamp)::date ELSE d END AS periodo, proveedor_id,
           producto_id, sum(cantidad) AS cantidad, count(DISTINCT id) AS pedidos
    FROM (SELECT o.id, mercado_dia(fecha_pedido) AS d, proveedor_id, l.producto_id, l.cantidad
          FROM pedidos o JOIN detalle_pedidos l ON l.pedido_id = o.id) o, (VALUES (true), (false)) g(es_mes)
    GROUP BY 1, 2, 3, 4
  ), sumado_productos AS (
    SELECT es_mes, periodo, proveedor_id, producto_id, sum(cantidad) AS cantidad, sum(pedidos) AS pedidos
    FROM figuras_productos GROUP BY 1, 2, 3, 4 HAVING sum(cantidad) <> 0 OR sum(pedidos) <> 0
  ), contado_movimientos AS (
    SELECT g.es_mes, CASE WHEN g.es_mes THEN date_trunc('month', d::timestamp)::date ELSE d END AS periodo,
           coalesce(proveedor_id, 0) AS proveedor_id, tipo, count(*) AS movimientos, sum(cantidad) AS productos
    FROM (SELECT mercado_dia(fecha) AS d, p.proveedor_id, tipo, cantidad
          FROM movimientos_stock m JOIN productos p ON p.id = m.producto_id) m, (VALUES (true), (false)) g(es_mes)
    GROUP BY 1, 2, 3, 4
  ), sumado_movimientos AS (
    SELECT es_mes, periodo, proveedor_id, tipo, sum(movimientos) AS movimientos, sum(productos) AS productos
    FROM figuras_movimientos GROUP BY 1, 2, 3, 4 HAVING sum(movimientos) <> 0 OR sum(productos) <> 0
  )
  SELECT 'pedidos' AS de, count(*)::int AS n FROM contado_pedidos FULL JOIN sumado_pedidos
    USING (es_mes, periodo, proveedor_id, pedidos, productos)
    WHERE contado_pedidos IS NULL OR sumado_pedidos IS NULL
  UNION ALL SELECT 'productos', count(*)::int FROM contado_productos FULL JOIN sumado_productos
    USING (es_mes, periodo, proveedor_id, producto_id, cantidad, pedidos)
    WHERE contado_productos IS NULL OR sumado_productos IS NULL
  UNION ALL SELECT 'movimientos', count(*)::int FROM contado_movimientos FULL JOIN sumado_movimientos
    USING (es_mes, periodo, proveedor_id, tipo, movimientos, productos)
    WHERE contado_movimientos IS NULL OR sumado_movimientos IS NULL`;

const NO_DIFFERENCE = [
  { de: 'pedidos', n: 0 },
  { de: 'productos', n: 0 },
  { de: 'movimientos', n: 0 },
];

const small = fc.integer({ min: 1, max: 4 });
const moment = fc
  .integer({ min: 0, max: 90 * 24 })
  .map(hours => `'2026-01-01'::timestamptz + interval '${hours} hours'`);
const some = (table: string, n: number) => `SELECT id FROM ${table} ORDER BY (id * 7919) % 101, id LIMIT ${n}`;

/** Everything that may happen to the facts, in statements of one or several rows. */
const change = fc.oneof(
  fc
    .tuple(small, moment)
    .map(([p, t]) => `INSERT INTO pedidos (proveedor_id, fecha_pedido) VALUES (${p}, ${t}), (1, ${t})`),
  fc.tuple(small, small, fc.integer({ min: 0, max: 9 })).map(
    ([n, product, amount]) =>
      `INSERT INTO detalle_pedidos (pedido_id, producto_id, cantidad)
         SELECT id, 1 + (id + k) % ${product}, ${amount} FROM (${some('pedidos', n)}) o, generate_series(1, 2) k`,
  ),
  fc
    .tuple(small, fc.constantFrom('ingreso', 'salida', 'entrada'), moment)
    .map(
      ([product, tipo, t]) =>
        `INSERT INTO movimientos_stock (producto_id, tipo, cantidad, fecha) VALUES (${product}, '${tipo}', 3, ${t}), (1, '${tipo}', 1, ${t})`,
    ),
  fc.tuple(small, moment).map(([n, t]) => `UPDATE pedidos SET fecha_pedido = ${t} WHERE id IN (${some('pedidos', n)})`),
  fc.tuple(small, small).map(([n, p]) => `UPDATE pedidos SET proveedor_id = ${p} WHERE id IN (${some('pedidos', n)})`),
  small.map(n => `UPDATE pedidos SET estado = 'recibido' WHERE id IN (${some('pedidos', n)})`),
  fc
    .tuple(small, small)
    .map(
      ([n, product]) =>
        `UPDATE detalle_pedidos SET producto_id = ${product}, cantidad = cantidad + 1 WHERE id IN (${some('detalle_pedidos', n)})`,
    ),
  small.map(
    n =>
      `UPDATE detalle_pedidos SET pedido_id = (SELECT max(id) FROM pedidos) WHERE id IN (${some('detalle_pedidos', n)}) AND EXISTS (SELECT FROM pedidos)`,
  ),
  fc
    .tuple(small, small, moment)
    .map(
      ([n, product, t]) =>
        `UPDATE movimientos_stock SET producto_id = ${product}, fecha = ${t}, tipo = 'egreso' WHERE id IN (${some('movimientos_stock', n)})`,
    ),
  fc.tuple(small, small).map(([p, to]) => `UPDATE productos SET proveedor_id = ${to} WHERE id = ${p}`),
  small.map(p => `UPDATE productos SET proveedor_id = NULL WHERE id = ${p}`),
  small.map(n => `DELETE FROM pedidos WHERE id IN (${some('pedidos', n)})`),
  small.map(n => `DELETE FROM detalle_pedidos WHERE id IN (${some('detalle_pedidos', n)})`),
  small.map(n => `DELETE FROM movimientos_stock WHERE id IN (${some('movimientos_stock', n)})`),
  fc.constantFrom(
    'SELECT resumenes_plegar()',
    'TRUNCATE movimientos_stock',
    'TRUNCATE detalle_pedidos',
    'TRUNCATE pedidos CASCADE',
  ),
);

test('whatever is written, changed or deleted, the summaries are what the facts add up to', async () => {
  const { pool } = await market('any_change', '2026-01-08');
  await pool.query(`
    INSERT INTO proveedores (codigo, nombre) VALUES ('A', 'a'), ('B', 'b'), ('C', 'c'), ('D', 'd');
    INSERT INTO productos (codigo, nombre, proveedor_id) VALUES ('1', 'x', 1), ('2', 'y', 2), ('3', 'z', 3), ('4', 'w', NULL)`);
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 5, maxLength: 30 }),
      fc.boolean(),
      async (changes, oneTransaction) => {
        await pool.query('TRUNCATE pedidos, detalle_pedidos, movimientos_stock');
        const client = await pool.connect();
        try {
          if (oneTransaction) await client.query('BEGIN');
          for (const statement of changes) await client.query(statement);
          if (oneTransaction) await client.query('COMMIT');
          expect((await client.query(DIFFERENCES)).rows).toEqual(NO_DIFFERENCE);
          await client.query('SELECT resumenes_plegar()');
          expect((await client.query(DIFFERENCES)).rows).toEqual(NO_DIFFERENCE);
        } finally {
          client.release();
        }
      },
    ),
    { numRuns: 25 },
  );
}, 120_000);

test('writers at the same time neither wait for each other nor lose a count', async () => {
  const { pool } = await market('at_once', '2026-01-08');
  await pool.query(`
    INSERT INTO proveedores (codigo, nombre) VALUES ('A', 'a'), ('B', 'b');
    INSERT INTO productos (codigo, nombre, proveedor_id) VALUES ('1', 'x', 1), ('2', 'y', 2)`);
  const [first, second, folding] = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
  try {
    const order = (provider: number) =>
      `INSERT INTO pedidos (proveedor_id, fecha_pedido) VALUES (${provider}, '2026-01-08')`;
    const movement = (product: number) =>
      `INSERT INTO movimientos_stock (producto_id, tipo, cantidad, fecha) VALUES (${product}, 'ingreso', 1, '2026-01-08')`;
    await first.query('BEGIN');
    await second.query('BEGIN');
    // crosswise: counters that are updated in place would make these two wait for each other for ever
    for (const statement of [order(1), movement(1)]) await first.query(statement);
    for (const statement of [order(2), movement(2)]) await second.query(statement);
    for (const statement of [order(2), movement(2)]) await first.query(statement);
    for (const statement of [order(1), movement(1)]) await second.query(statement);
    await first.query('COMMIT');
    await folding.query('SELECT resumenes_plegar()');
    await second.query('COMMIT');
    await folding.query('SELECT resumenes_plegar()');
    expect((await folding.query(DIFFERENCES)).rows).toEqual(NO_DIFFERENCE);
    const { rows } = await folding.query('SELECT sum(pedidos)::int AS pedidos FROM resumen_pedidos WHERE es_mes');
    expect(rows).toEqual([{ pedidos: 4 }]);
  } finally {
    for (const client of [first, second, folding]) client.release();
  }
});

const AT_ONCE = [
  [
    'an order that moves to another day while a line is added to it takes the line along',
    'INSERT INTO detalle_pedidos (pedido_id, producto_id, cantidad) VALUES (1, 1, 5)',
    "UPDATE pedidos SET fecha_pedido = '2026-02-08 12:00-03' WHERE id = 1",
  ],
  [
    'an order that is deleted while a line is added to it takes the line along',
    'INSERT INTO detalle_pedidos (pedido_id, producto_id, cantidad) VALUES (1, 1, 5)',
    'DELETE FROM pedidos WHERE id = 1',
  ],
  [
    'two lines of the same product that are added at once are one order of it',
    'INSERT INTO detalle_pedidos (pedido_id, producto_id, cantidad) VALUES (1, 1, 5)',
    'INSERT INTO detalle_pedidos (pedido_id, producto_id, cantidad) VALUES (1, 1, 2)',
  ],
  [
    'a product that changes its provider while it is moved takes the movement along',
    "INSERT INTO movimientos_stock (producto_id, tipo, cantidad) VALUES (1, 'ingreso', 5)",
    'UPDATE productos SET proveedor_id = 2 WHERE id = 1',
  ],
] as const;

test.each(AT_ONCE)('%s', async (name, first, second) => {
  const { pool } = await market(`at_once_${AT_ONCE.findIndex(([one]) => one === name)}`, '2026-01-08');
  await pool.query(`
    INSERT INTO proveedores (codigo, nombre) VALUES ('A', 'a'), ('B', 'b');
    INSERT INTO productos (codigo, nombre, proveedor_id) VALUES ('1', 'x', 1);
    INSERT INTO pedidos (proveedor_id, fecha_pedido) VALUES (1, '2026-01-08 12:00-03')`);
  const writing = await pool.connect();
  try {
    await writing.query('BEGIN');
    await writing.query(first);
    let done = false;
    const other = pool.query(second).finally(() => {
      done = true;
    });
    const waiting = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    await until(
      'the other one is done, or waits for us',
      async () => done || (await pool.query(waiting)).rows[0].n > 0,
    );
    await writing.query('COMMIT');
    await other;
    expect((await writing.query(DIFFERENCES)).rows).toEqual(NO_DIFFERENCE);
  } finally {
    writing.release();
  }
});

test('who writes one table and who reads the figures need no other right', async () => {
  const { pool } = await market('rights', '2026-01-08');
  await pool.query(BY_HAND);
  await pool.query(`
    CREATE ROLE caja LOGIN; GRANT INSERT ON movimientos_stock, detalle_pedidos TO caja;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO caja;
    CREATE ROLE tablero LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO tablero;`);
  const as = async (role: string, text: string) => {
    const one = new Pool({
      connectionString: postgres.url.replace('postgres@', `${role}@`).replace(/postgres$/, 'rights'),
      max: 1,
    });
    pools.push(one);
    return (await one.query(text)).rows;
  };
  await as('caja', "INSERT INTO movimientos_stock (producto_id, tipo, cantidad) VALUES (1, 'ingreso', 1)");
  await as('caja', 'INSERT INTO detalle_pedidos (pedido_id, producto_id, cantidad) VALUES (1, 1, 1)');
  await as('tablero', 'SELECT resumenes_plegar()');
  expect(await as('tablero', DIFFERENCES)).toEqual(NO_DIFFERENCE);
  expect(await as('tablero', 'SELECT count(*)::int AS left FROM cambios_movimientos')).toEqual([{ left: 0 }]);
});

test('the migration counts what is there already, and down leaves nothing of it', async () => {
  const { pool } = await market('there_already', '2026-01-08');
  await pool.query(BY_HAND);
  const environment = { DATABASE_URL: postgres.url.replace(/postgres$/, 'there_already'), MIGRATIONS_DIR };
  expect(await migrateCli({ args: ['down'], environment })).toBe(0);
  const { rows } = await pool.query(
    "SELECT count(*)::int AS left FROM pg_class WHERE relname ~ '^(resumen|cambios|figuras)_'",
  );
  expect(rows).toEqual([{ left: 0 }]);
  await pool.query("INSERT INTO pedidos (proveedor_id, fecha_pedido) VALUES (1, '2026-01-08')");
  expect(await migrateCli({ args: ['up'], environment })).toBe(0);
  expect((await pool.query(DIFFERENCES)).rows).toEqual(NO_DIFFERENCE);
  const folded = await pool.query('SELECT sum(pedidos)::int AS pedidos FROM resumen_pedidos WHERE es_mes');
  expect(folded.rows).toEqual([{ pedidos: 8 }]);
});
