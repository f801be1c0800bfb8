import type { Cache } from './cache.ts';
import { addDays, addMonths, type Day, marketDay, monday, type Period, spansOf } from './periods.ts';

/** Runs one statement and gives its rows. */
export type Sql = <Row extends object>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

export type Summary = {
  readonly total_proveedores: number;
  readonly total_pedidos: number;
  readonly total_productos_pedidos: number;
  readonly total_movimientos: number;
  readonly facturas_procesadas: number;
  readonly pedidos_mes: number;
  readonly movimientos_semana: number;
  readonly proveedor_top: { readonly nombre: string; readonly pedidos: number };
};

export type ProviderFigures = {
  readonly codigo: string;
  readonly nombre: string;
  readonly total_pedidos: number;
  readonly total_productos: number;
  readonly pedidos_semana: number;
  readonly pedidos_mes: number;
};

export type DayMovements = {
  readonly fecha: Day;
  readonly tipo: string;
  readonly movimientos: number;
  readonly productos: number;
};

export type TopProduct = {
  readonly producto: string;
  readonly cantidad_total: number;
  readonly pedidos: number;
  readonly proveedor: string;
};

export type Trends = {
  readonly pedidos_mensuales: readonly {
    readonly mes: string;
    readonly pedidos: number;
    readonly proveedores_activos: number;
  }[];
  readonly movimientos_mensuales: readonly {
    readonly mes: string;
    readonly tipo: string;
    readonly movimientos: number;
    readonly productos: number;
  }[];
};

export type ProviderStock = { readonly codigo: string; readonly nombre: string; readonly stock_total: number };

export type WeekSales = { readonly semana: string; readonly pedidos: number; readonly productos: number };

export type StockAlert = {
  readonly codigo: string;
  readonly nombre: string;
  readonly stock: number;
  readonly minimo: number;
};

/** Days are `YYYY-MM-DD`, both included; `proveedor` is part of a provider's name or code. */
export type Filters = {
  readonly startDate?: Day | undefined;
  readonly endDate?: Day | undefined;
  readonly proveedor?: string | undefined;
};

/**
 * The market's figures. Each is computed once and kept for a while, for the API and the pages alike; rejects as the
 * database does.
 */
export type Figures = {
  summary(): Promise<Summary>;
  /** the active ones, busiest first */
  providers(): Promise<readonly ProviderFigures[]>;
  /** newest day first */
  stockTimeline(query: { readonly days: number }): Promise<readonly DayMovements[]>;
  /** most ordered first */
  topProducts(query: Filters & { readonly limit: number; readonly offset?: number }): Promise<readonly TopProduct[]>;
  /** how many products `topProducts` would give without a limit */
  countTopProducts(query: Filters): Promise<number>;
  /** oldest month first; `months` counts only where no date is given */
  trends(query: Filters & { readonly months: number }): Promise<Trends>;
  /** the active ones, fullest first */
  stockByProvider(query: { readonly limit: number }): Promise<readonly ProviderStock[]>;
  /** oldest week first */
  weeklySales(query: { readonly weeks: number }): Promise<readonly WeekSales[]>;
  /** products under their minimum, the emptiest first */
  stockAlerts(query: { readonly limit: number }): Promise<readonly StockAlert[]>;
};

export type FiguresOptions = {
  readonly sql: Sql;
  readonly cache: Cache;
  readonly today?: () => Day;
};

export function createFigures({ sql, cache, today = () => marketDay(new Date()) }: FiguresOptions): Figures {
  const kept = <Query, Value>(name: string, read: (query: Query) => Promise<Value>) => {
    return (query: Query) => cache.get(`${name} ${JSON.stringify(query)}`, () => read(query));
  };
  const summary = kept('summary', () => readSummary(sql, today()));
  const providers = kept('providers', () => readProviders(sql, today()));
  return {
    summary: () => summary(null),
    providers: () => providers(null),
    stockTimeline: kept('stockTimeline', ({ days }) => readStockTimeline(sql, addDays(today(), 1 - days))),
    topProducts: kept('topProducts', query => readTopProducts(sql, query)),
    countTopProducts: kept('countTopProducts', query => countTopProducts(sql, query)),
    trends: kept('trends', ({ months, ...filters }) =>
      readTrends(sql, { ...trendPeriod(months, filters, today()), proveedor: filters.proveedor }),
    ),
    stockByProvider: kept('stockByProvider', ({ limit }) => readStockByProvider(sql, limit)),
    weeklySales: kept('weeklySales', ({ weeks }) => readWeeklySales(sql, addDays(monday(today()), -7 * (weeks - 1)))),
    stockAlerts: kept('stockAlerts', ({ limit }) => readStockAlerts(sql, limit)),
  };
}

/** Both vocabularies of the market's history. */
const INCOMING = ['ingreso', 'entrada'];
const OUTGOING = ['egreso', 'salida'];

export const isIncoming = (tipo: string): boolean => INCOMING.includes(tipo.toLowerCase());
export const isOutgoing = (tipo: string): boolean => OUTGOING.includes(tipo.toLowerCase());

const WEEK_DAYS = 7;
const MONTH_DAYS = 30;

/** One statement, so the figures are of one moment. */
async function readSummary(sql: Sql, today: Day): Promise<Summary> {
  const [row] = await sql<Omit<Summary, 'proveedor_top'> & { nombre: string; pedidos: number }>(
    `WITH recientes AS (
       SELECT proveedor_id, sum(pedidos) AS pedidos FROM figuras_pedidos
       WHERE NOT es_mes AND periodo > $1::date - ${MONTH_DAYS} GROUP BY proveedor_id
     ), historia AS (
       SELECT sum(pedidos) AS pedidos, sum(productos) AS productos FROM figuras_pedidos WHERE es_mes
     )
     SELECT
       (SELECT count(*)::int FROM proveedores WHERE activo) AS total_proveedores,
       coalesce(historia.pedidos, 0)::float8 AS total_pedidos,
       coalesce(historia.productos, 0)::float8 AS total_productos_pedidos,
       (SELECT coalesce(sum(movimientos), 0)::float8 FROM figuras_movimientos WHERE es_mes) AS total_movimientos,
       (SELECT count(*)::int FROM facturas_ocr WHERE estado = 'procesado') AS facturas_procesadas,
       (SELECT coalesce(sum(pedidos), 0)::float8 FROM recientes) AS pedidos_mes,
       (SELECT coalesce(sum(movimientos), 0)::float8 FROM figuras_movimientos
         WHERE NOT es_mes AND periodo > $1::date - ${WEEK_DAYS}) AS movimientos_semana,
       coalesce(primero.nombre, 'N/A') AS nombre,
       coalesce(primero.pedidos, 0)::float8 AS pedidos
     FROM historia LEFT JOIN (
       SELECT nombre, pedidos FROM recientes JOIN proveedores ON proveedores.id = proveedor_id
       WHERE pedidos > 0 ORDER BY pedidos DESC, nombre LIMIT 1
     ) AS primero ON true`,
    [today],
  );
  if (row === undefined) throw new Error('the summary statement always gives one row');
  const { nombre, pedidos, ...figures } = row;
  return { ...figures, proveedor_top: { nombre, pedidos } };
}

function readProviders(sql: Sql, today: Day): Promise<readonly ProviderFigures[]> {
  return sql<ProviderFigures>(
    `WITH historia AS (
       SELECT proveedor_id, sum(pedidos) AS pedidos, sum(productos) AS productos
       FROM figuras_pedidos WHERE es_mes GROUP BY proveedor_id
     ), recientes AS (
       SELECT proveedor_id, sum(pedidos) AS mes, sum(pedidos) FILTER (WHERE periodo > $1::date - ${WEEK_DAYS}) AS semana
       FROM figuras_pedidos WHERE NOT es_mes AND periodo > $1::date - ${MONTH_DAYS} GROUP BY proveedor_id
     )
     SELECT
       codigo,
       nombre,
       coalesce(historia.pedidos, 0)::float8 AS total_pedidos,
       coalesce(historia.productos, 0)::float8 AS total_productos,
       coalesce(recientes.semana, 0)::float8 AS pedidos_semana,
       coalesce(recientes.mes, 0)::float8 AS pedidos_mes
     FROM proveedores
     LEFT JOIN historia ON historia.proveedor_id = proveedores.id
     LEFT JOIN recientes ON recientes.proveedor_id = proveedores.id
     WHERE activo
     ORDER BY total_pedidos DESC, nombre, codigo`,
    [today],
  );
}

function readStockTimeline(sql: Sql, from: Day): Promise<readonly DayMovements[]> {
  return sql<DayMovements>(
    `SELECT to_char(periodo, 'YYYY-MM-DD') AS fecha, tipo,
            sum(movimientos)::float8 AS movimientos, sum(productos)::float8 AS productos
     FROM figuras_movimientos WHERE NOT es_mes AND periodo >= $1::date
     GROUP BY periodo, tipo HAVING sum(movimientos) > 0
     ORDER BY periodo DESC, tipo`,
    [from],
  );
}

const IN_SPANS = `(es_mes AND periodo >= $2::date AND periodo < $3::date
  OR NOT es_mes AND (periodo >= $1::date AND periodo < $2::date OR periodo >= $3::date AND periodo <= $4::date))`;

/** `$5` is a code, or null for every provider; where nobody has that code, `$6` is a pattern for codes and names. */
const OF_PROVIDER = `($5::text IS NULL OR proveedor_id IN (
  SELECT id FROM proveedores WHERE CASE WHEN EXISTS (SELECT FROM proveedores WHERE codigo = $5)
    THEN codigo = $5 ELSE nombre ILIKE $6 OR codigo ILIKE $6 END))`;

/** `%` and `_` mean themselves. */
const patternOf = (part: string) => `%${part.replace(/[\\%_]/g, '\\$&')}%`;

function filterValues(period: Period, proveedor: string | undefined): readonly (string | null)[] {
  const { daysFrom, monthsFrom, monthsUntil, daysTo } = spansOf(period);
  return [daysFrom, monthsFrom, monthsUntil, daysTo, proveedor ?? null, patternOf(proveedor ?? '')];
}

const filterValuesOf = ({ startDate, endDate, proveedor }: Filters) =>
  filterValues({ from: startDate, to: endDate }, proveedor);

/** `proveedor` is whom most of the product was ordered from. */
function readTopProducts(
  sql: Sql,
  { limit, offset = 0, ...filters }: Filters & { readonly limit: number; readonly offset?: number },
): Promise<readonly TopProduct[]> {
  return sql<TopProduct>(
    `WITH por_proveedor AS (
       SELECT producto_id, proveedor_id, sum(cantidad) AS cantidad, sum(pedidos) AS pedidos
       FROM figuras_productos WHERE ${IN_SPANS} AND ${OF_PROVIDER} GROUP BY producto_id, proveedor_id
     ), primeros AS (
       SELECT producto_id, sum(cantidad) AS cantidad, sum(pedidos) AS pedidos,
              (array_agg(proveedor_id ORDER BY cantidad DESC, proveedor_id))[1] AS proveedor_id
       FROM por_proveedor GROUP BY producto_id HAVING sum(pedidos) > 0
     )
     SELECT productos.nombre AS producto, cantidad::float8 AS cantidad_total, pedidos::float8 AS pedidos,
            coalesce(proveedores.nombre, 'N/A') AS proveedor
     FROM primeros
     JOIN productos ON productos.id = primeros.producto_id
     LEFT JOIN proveedores ON proveedores.id = primeros.proveedor_id
     ORDER BY cantidad DESC, productos.nombre, productos.id LIMIT $7 OFFSET $8`,
    [...filterValuesOf(filters), limit, offset],
  );
}

async function countTopProducts(sql: Sql, filters: Filters): Promise<number> {
  const [row] = await sql<{ products: number }>(
    `SELECT count(*)::int AS products FROM (
       SELECT producto_id FROM figuras_productos WHERE ${IN_SPANS} AND ${OF_PROVIDER}
       GROUP BY producto_id HAVING sum(pedidos) > 0
     ) AS ordered`,
    filterValuesOf(filters),
  );
  return row?.products ?? 0;
}

function trendPeriod(months: number, { startDate, endDate }: Filters, today: Day): Period {
  if (startDate !== undefined || endDate !== undefined) return { from: startDate, to: endDate };
  return { from: addMonths(today, 1 - months) };
}

async function readTrends(
  sql: Sql,
  { proveedor, ...period }: Period & { readonly proveedor: string | undefined },
): Promise<Trends> {
  const values = filterValues(period, proveedor);
  const [pedidos_mensuales, movimientos_mensuales] = await Promise.all([
    sql<Trends['pedidos_mensuales'][number]>(
      `SELECT to_char(mes, 'YYYY-MM') AS mes, sum(pedidos)::float8 AS pedidos, count(*)::int AS proveedores_activos
       FROM (
         SELECT date_trunc('month', periodo) AS mes, sum(pedidos) AS pedidos
         FROM figuras_pedidos WHERE ${IN_SPANS} AND ${OF_PROVIDER}
         GROUP BY date_trunc('month', periodo), proveedor_id HAVING sum(pedidos) > 0
       ) AS por_proveedor
       GROUP BY por_proveedor.mes ORDER BY por_proveedor.mes`,
      values,
    ),
    sql<Trends['movimientos_mensuales'][number]>(
      `SELECT to_char(date_trunc('month', periodo), 'YYYY-MM') AS mes, tipo,
              sum(movimientos)::float8 AS movimientos, sum(productos)::float8 AS productos
       FROM figuras_movimientos WHERE ${IN_SPANS} AND ${OF_PROVIDER}
       GROUP BY date_trunc('month', periodo), tipo HAVING sum(movimientos) > 0
       ORDER BY date_trunc('month', periodo), tipo`,
      values,
    ),
  ]);
  return { pedidos_mensuales, movimientos_mensuales };
}

/** What came in less what went out, of the products that are the provider's. */
function readStockByProvider(sql: Sql, limit: number): Promise<readonly ProviderStock[]> {
  return sql<ProviderStock>(
    `SELECT codigo, nombre, coalesce(stock, 0)::float8 AS stock_total
     FROM proveedores LEFT JOIN (
       SELECT proveedor_id, sum(CASE WHEN lower(tipo) = ANY($1) THEN productos
                                     WHEN lower(tipo) = ANY($2) THEN -productos ELSE 0 END) AS stock
       FROM figuras_movimientos WHERE es_mes GROUP BY proveedor_id
     ) AS balance ON balance.proveedor_id = proveedores.id
     WHERE activo
     ORDER BY stock_total DESC, nombre, codigo LIMIT $3`,
    [INCOMING, OUTGOING, limit],
  );
}

/**
 * The week's number is strftime's `%W`: the year's first Monday begins week 01, the days before it are week 00. So a
 * week in which the year ends is two rows.
 */
function readWeeklySales(sql: Sql, from: Day): Promise<readonly WeekSales[]> {
  return sql<WeekSales>(
    `SELECT to_char(periodo, 'YYYY-') || lpad(
              ((extract(doy FROM periodo)::int + 7 - extract(isodow FROM periodo)::int) / 7)::text, 2, '0') AS semana,
            sum(pedidos)::float8 AS pedidos, sum(productos)::float8 AS productos
     FROM figuras_pedidos WHERE NOT es_mes AND periodo >= $1::date
     GROUP BY semana HAVING sum(pedidos) > 0 ORDER BY semana`,
    [from],
  );
}

function readStockAlerts(sql: Sql, limit: number): Promise<readonly StockAlert[]> {
  return sql<StockAlert>(
    `SELECT codigo, nombre, stock_actual AS stock, stock_minimo AS minimo
     FROM productos WHERE stock_actual < stock_minimo
     ORDER BY stock_actual - stock_minimo, nombre LIMIT $1`,
    [limit],
  );
}
