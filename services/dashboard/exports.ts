import { csv } from './csv.ts';
import type { ProviderFigures, Summary, TopProduct } from './figures.ts';

export const CSV_TYPE = 'text/csv; charset=utf-8';

/** The columns are a promise to those who read these files with programs: names and order stay. */
export function summaryCsv({ proveedor_top, ...figures }: Summary): string {
  const columns = [
    'total_proveedores',
    'total_pedidos',
    'total_productos_pedidos',
    'total_movimientos',
    'facturas_procesadas',
    'pedidos_mes',
    'movimientos_semana',
  ] as const;
  return csv(
    [...columns, 'proveedor_top_nombre', 'proveedor_top_pedidos'],
    [[...columns.map(column => figures[column]), proveedor_top.nombre, proveedor_top.pedidos]],
  );
}

export function providersCsv(providers: readonly ProviderFigures[]): string {
  const columns = ['codigo', 'nombre', 'total_pedidos', 'total_productos', 'pedidos_semana', 'pedidos_mes'] as const;
  return csv(
    columns,
    providers.map(provider => columns.map(column => provider[column])),
  );
}

export function topProductsCsv(products: readonly TopProduct[]): string {
  const columns = ['producto', 'cantidad_total', 'pedidos', 'proveedor'] as const;
  return csv(
    columns,
    products.map(product => columns.map(column => product[column])),
  );
}

/** In place of the figures when they could not be read: scripts of today expect 200 and look at the first column. */
export const errorCsv = (message: string): string => csv(['error', 'message'], [['true', message]]);
