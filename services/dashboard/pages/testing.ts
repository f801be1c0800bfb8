import type { Figures } from '../figures.ts';

/** A small market in which every figure is another number. */
export const market = {
  summary: {
    total_proveedores: 2,
    total_pedidos: 1_234,
    total_productos_pedidos: 5_001,
    total_movimientos: 6_002,
    facturas_procesadas: 7,
    pedidos_mes: 81,
    movimientos_semana: 92,
    proveedor_top: { nombre: 'Arcor', pedidos: 31 },
  },
  providers: [
    { codigo: 'AR', nombre: 'Arcor', total_pedidos: 900, total_productos: 4_000, pedidos_semana: 11, pedidos_mes: 31 },
    { codigo: 'ZU', nombre: 'Ánimo', total_pedidos: 334, total_productos: 1_001, pedidos_semana: 12, pedidos_mes: 22 },
  ],
  stockAlerts: [{ codigo: 'P1', nombre: 'Yerba', stock: 3, minimo: 10 }],
  stockTimeline: [
    { fecha: '2026-11-22', tipo: 'ingreso', movimientos: 5, productos: 50 },
    { fecha: '2026-11-22', tipo: 'entrada', movimientos: 2, productos: 20 },
    { fecha: '2026-11-20', tipo: 'salida', movimientos: 4, productos: 40 },
  ],
  stockByProvider: [{ codigo: 'AR', nombre: 'Arcor', stock_total: 77 }],
  weeklySales: [{ semana: '2026-46', pedidos: 14, productos: 140 }],
  topProducts: [
    { producto: 'Yerba', cantidad_total: 300, pedidos: 30, proveedor: 'Arcor' },
    { producto: 'Pan', cantidad_total: 200, pedidos: 25, proveedor: 'Ánimo' },
  ],
  countTopProducts: 2,
  trends: {
    pedidos_mensuales: [{ mes: '2026-11', pedidos: 45, proveedores_activos: 2 }],
    movimientos_mensuales: [{ mes: '2026-10', tipo: 'egreso', movimientos: 33, productos: 330 }],
  },
};

export const emptyMarket: typeof market = {
  summary: {
    total_proveedores: 0,
    total_pedidos: 0,
    total_productos_pedidos: 0,
    total_movimientos: 0,
    facturas_procesadas: 0,
    pedidos_mes: 0,
    movimientos_semana: 0,
    proveedor_top: { nombre: 'N/A', pedidos: 0 },
  },
  providers: [],
  stockAlerts: [],
  stockTimeline: [],
  stockByProvider: [],
  weeklySales: [],
  topProducts: [],
  countTopProducts: 0,
  trends: { pedidos_mensuales: [], movimientos_mensuales: [] },
};

/** Figures that are always these objects, as cached ones are. */
export const figuresOf = (figures: typeof market): Figures => ({
  summary: async () => figures.summary,
  providers: async () => figures.providers,
  stockTimeline: async () => figures.stockTimeline,
  topProducts: async () => figures.topProducts,
  countTopProducts: async () => figures.countTopProducts,
  trends: async () => figures.trends,
  stockByProvider: async () => figures.stockByProvider,
  weeklySales: async () => figures.weeklySales,
  stockAlerts: async () => figures.stockAlerts,
});
