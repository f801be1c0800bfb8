import type { FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import type { Routes } from '../common/routes.ts';
import { failure } from './errors.ts';
import { CSV_TYPE, errorCsv, providersCsv, summaryCsv, topProductsCsv } from './exports.ts';
import type { Figures } from './figures.ts';
import { providersQuery, timelineQuery, topProductsQuery, trendsQuery, weeksQuery } from './parameters.ts';

const count = z.int();
/** stock may have been counted wrong */
const amount = z.number();
const day = z.iso.date();
const list = <Item extends z.ZodType>(item: Item) =>
  z.array(item) as unknown as z.ZodType<readonly z.output<Item>[], readonly z.input<Item>[]>;
const month = z.string().regex(/^\d{4,}-\d\d$/);

const summary = z
  .object({
    total_proveedores: count,
    total_pedidos: count,
    total_productos_pedidos: amount,
    total_movimientos: count,
    facturas_procesadas: count,
    pedidos_mes: count,
    movimientos_semana: count,
    proveedor_top: z.object({ nombre: z.string(), pedidos: count }),
  })
  .meta({ id: 'Summary' });

const provider = z
  .object({
    codigo: z.string(),
    nombre: z.string(),
    total_pedidos: count,
    total_productos: amount,
    pedidos_semana: count,
    pedidos_mes: count,
  })
  .meta({ id: 'Provider' });

const dayMovements = z
  .object({ fecha: day, tipo: z.string(), movimientos: count, productos: amount })
  .meta({ id: 'DayMovements' });

const topProduct = z
  .object({ producto: z.string(), cantidad_total: amount, pedidos: count, proveedor: z.string() })
  .meta({ id: 'TopProduct' });

const trends = z
  .object({
    pedidos_mensuales: list(z.object({ mes: month, pedidos: count, proveedores_activos: count })),
    movimientos_mensuales: list(z.object({ mes: month, tipo: z.string(), movimientos: count, productos: amount })),
  })
  .meta({ id: 'Trends' });

const providerStock = z
  .object({ codigo: z.string(), nombre: z.string(), stock_total: amount })
  .meta({ id: 'ProviderStock' });

const weekSales = z
  .object({ semana: z.string().regex(/^\d{4,}-\d\d$/), pedidos: count, productos: amount })
  .meta({ id: 'WeekSales' });

const REFUSALS = {
  400: { description: 'The Host is not one of ours', mediaType: 'text/plain' },
  403: 'Plain HTTP where HTTPS is forced: the key has gone in clear and should be changed',
  429: { description: 'Too many requests; Retry-After says when to come back', schema: failure },
  500: { description: 'The figures could not be read', schema: failure },
};

const tags = ['figures'];

export type ApiOptions = {
  readonly figures: Figures;
  readonly guard: (request: FastifyRequest) => void;
};

/** The figures as JSON, for programs with a key. */
export function serveApi(routes: Routes, { figures, guard }: ApiOptions): void {
  const common = { method: 'GET', tags, guard, refusals: REFUSALS } as const;
  routes.add({
    ...common,
    path: '/api/summary',
    summary: 'The market in nine figures',
    description:
      'The month is the last 30 days and the week the last 7, today included; the top provider is the month’s.',
    answer: { status: 200, schema: summary },
    handle: ({ reply }) => send(reply, figures.summary()),
  });
  routes.add({
    ...common,
    path: '/api/providers',
    summary: 'The active providers, busiest first',
    description: 'Orders of providers that are not active any more are in the totals of the summary, and not here.',
    answer: { status: 200, schema: list(provider) },
    handle: ({ reply }) => send(reply, figures.providers()),
  });
  routes.add({
    ...common,
    path: '/api/stock-timeline',
    summary: 'Movements of stock by day and kind, newest day first',
    query: timelineQuery,
    answer: { status: 200, schema: list(dayMovements) },
    handle: ({ reply, query }) => send(reply, figures.stockTimeline(query)),
  });
  routes.add({
    ...common,
    path: '/api/top-products',
    summary: 'The products most ordered',
    query: topProductsQuery,
    answer: { status: 200, schema: list(topProduct) },
    handle: ({ reply, query }) => send(reply, figures.topProducts(query)),
  });
  routes.add({
    ...common,
    path: '/api/trends',
    summary: 'Orders and movements by month, oldest month first',
    query: trendsQuery,
    answer: { status: 200, schema: trends },
    handle: ({ reply, query }) => send(reply, figures.trends(query)),
  });
  routes.add({
    ...common,
    path: '/api/stock-by-provider',
    summary: 'What came in less what went out, by active provider',
    query: providersQuery,
    answer: { status: 200, schema: list(providerStock) },
    handle: ({ reply, query }) => send(reply, figures.stockByProvider(query)),
  });
  routes.add({
    ...common,
    path: '/api/weekly-sales',
    summary: 'Orders by week, oldest week first',
    description:
      'Weeks are numbered as strftime’s %W: they begin on Monday, and the days before the first one are week 00.',
    query: weeksQuery,
    answer: { status: 200, schema: list(weekSales) },
    handle: ({ reply, query }) => send(reply, figures.weeklySales(query)),
  });
  serveExports(routes, { figures, guard });
}

/** The same as files for spreadsheets. What could not be read is said in the file, with status 200. */
function serveExports(routes: Routes, { figures, guard }: ApiOptions): void {
  const { 500: _inTheFile, ...refusals } = REFUSALS;
  const common = {
    method: 'GET',
    tags: ['exports'],
    guard,
    refusals,
    answer: { status: 200, mediaType: 'text/csv', description: 'Figures, or the columns error,message' },
  } as const;
  routes.add({
    ...common,
    path: '/api/export/summary.csv',
    summary: 'The summary as CSV',
    handle: ({ request, reply }) =>
      sendCsv(request, reply, 'el resumen', async () => summaryCsv(await figures.summary())),
  });
  routes.add({
    ...common,
    path: '/api/export/providers.csv',
    summary: 'The providers as CSV',
    handle: ({ request, reply }) =>
      sendCsv(request, reply, 'los proveedores', async () => providersCsv(await figures.providers())),
  });
  routes.add({
    ...common,
    path: '/api/export/top-products.csv',
    summary: 'The products most ordered as CSV',
    query: topProductsQuery,
    handle: ({ request, reply, query }) =>
      sendCsv(request, reply, 'los productos', async () => topProductsCsv(await figures.topProducts(query))),
  });
}

/** A figure stays the same object as long as it is cached, so it is written as JSON only once. */
const bodies = new WeakMap<object, string>();

function bodyOf(figure: object): string {
  const known = bodies.get(figure);
  if (known !== undefined) return known;
  const body = JSON.stringify(figure);
  bodies.set(figure, body);
  return body;
}

async function send<Figure extends object>(reply: FastifyReply, asked: Promise<Figure>): Promise<Figure> {
  const figure = await asked;
  reply.type('application/json; charset=utf-8').send(bodyOf(figure));
  return figure;
}

async function sendCsv(
  request: FastifyRequest,
  reply: FastifyReply,
  what: string,
  write: () => Promise<string>,
): Promise<void> {
  const text = await write().catch(error => {
    request.log.error({ err: error }, 'an export failed');
    return errorCsv(`Error obteniendo ${what}`);
  });
  reply.type(CSV_TYPE).send(text);
}
