import type { PrismaClient } from './generated/client.ts';

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

/** One statement, so the figures are of one moment. Month and week are the last 30 and 7 days. */
export async function readSummary(prisma: PrismaClient): Promise<Summary> {
  const [row] = await prisma.$queryRaw<(Omit<Summary, 'proveedor_top'> & { nombre: string; pedidos: number })[]>`
    SELECT
      (SELECT count(*)::int FROM proveedores WHERE activo) AS total_proveedores,
      (SELECT count(*)::int FROM pedidos) AS total_pedidos,
      (SELECT coalesce(sum(cantidad), 0)::int FROM detalle_pedidos) AS total_productos_pedidos,
      (SELECT count(*)::int FROM movimientos_stock) AS total_movimientos,
      (SELECT count(*)::int FROM facturas_ocr WHERE estado = 'procesado') AS facturas_procesadas,
      (SELECT count(*)::int FROM pedidos WHERE fecha_pedido >= now() - interval '30 days') AS pedidos_mes,
      (SELECT count(*)::int FROM movimientos_stock WHERE fecha >= now() - interval '7 days') AS movimientos_semana,
      coalesce(top.nombre, 'N/A') AS nombre,
      coalesce(top.pedidos, 0) AS pedidos
    FROM (SELECT 1) AS one
    LEFT JOIN (
      SELECT proveedores.nombre, count(*)::int AS pedidos
      FROM pedidos JOIN proveedores ON proveedores.id = pedidos.proveedor_id
      GROUP BY proveedores.id ORDER BY pedidos DESC, proveedores.nombre LIMIT 1
    ) AS top ON true`;
  if (row === undefined) throw new Error('the summary statement always gives one row');
  const { nombre, pedidos, ...figures } = row;
  return { ...figures, proveedor_top: { nombre, pedidos } };
}

export type ProviderFigures = {
  readonly codigo: string;
  readonly nombre: string;
  readonly total_pedidos: number;
  readonly total_productos: number;
  readonly pedidos_semana: number;
  readonly pedidos_mes: number;
};

/** The active providers, busiest first. */
export function readProviders(prisma: PrismaClient): Promise<ProviderFigures[]> {
  return prisma.$queryRaw<ProviderFigures[]>`
    SELECT
      proveedores.codigo,
      proveedores.nombre,
      count(pedidos.id)::int AS total_pedidos,
      coalesce(sum(lineas.cantidad), 0)::int AS total_productos,
      count(pedidos.id) FILTER (WHERE pedidos.fecha_pedido >= now() - interval '7 days')::int AS pedidos_semana,
      count(pedidos.id) FILTER (WHERE pedidos.fecha_pedido >= now() - interval '30 days')::int AS pedidos_mes
    FROM proveedores
    LEFT JOIN pedidos ON pedidos.proveedor_id = proveedores.id
    LEFT JOIN (SELECT pedido_id, sum(cantidad) AS cantidad FROM detalle_pedidos GROUP BY pedido_id) AS lineas
      ON lineas.pedido_id = pedidos.id
    WHERE proveedores.activo
    GROUP BY proveedores.id
    ORDER BY total_pedidos DESC, proveedores.nombre`;
}

export type StockAlert = {
  readonly codigo: string;
  readonly nombre: string;
  readonly stock: number;
  readonly minimo: number;
};

/** Products under their minimum, the emptiest first. */
export function readStockAlerts(prisma: PrismaClient): Promise<StockAlert[]> {
  return prisma.$queryRaw<StockAlert[]>`
    SELECT codigo, nombre, stock_actual AS stock, stock_minimo AS minimo
    FROM productos WHERE stock_actual < stock_minimo
    ORDER BY stock_actual - stock_minimo, nombre LIMIT 10`;
}
