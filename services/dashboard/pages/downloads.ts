import type { FastifyInstance, FastifyReply } from 'fastify';
import { CSV_TYPE, providersCsv, summaryCsv, topProductsCsv } from '../exports.ts';
import type { Figures } from '../figures.ts';
import { DOWNLOADS_PATH } from './links.ts';
import { readAnalyticsQuery } from './query.ts';

/** A file for a person, not for a program: more than anyone reads, and bounded. */
const PRODUCTS = 1_000;

/** Without it spreadsheets take the file for one of another alphabet. */
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * What the pages show, as files. They are the pages' own, because /api/export needs a key and a page has none to give.
 * Unlike there, figures that cannot be read are no file: the browser shows the page that says so.
 */
export function serveDownloads(app: FastifyInstance, figures: Figures): void {
  app.get(`${DOWNLOADS_PATH}/summary.csv`, async (_request, reply) =>
    send(reply, 'resumen', summaryCsv(await figures.summary())),
  );
  app.get(`${DOWNLOADS_PATH}/providers.csv`, async (_request, reply) =>
    send(reply, 'proveedores', providersCsv(await figures.providers())),
  );
  app.get<{ Querystring: Record<string, unknown> }>(`${DOWNLOADS_PATH}/top-products.csv`, async (request, reply) => {
    const { filters } = readAnalyticsQuery(request.query);
    return send(reply, 'productos', topProductsCsv(await figures.topProducts({ ...filters, limit: PRODUCTS })));
  });
}

function send(reply: FastifyReply, name: string, text: string) {
  reply.header('Content-Disposition', `attachment; filename="${name}.csv"`).header('Cache-Control', 'no-store');
  return reply.type(CSV_TYPE).send(BYTE_ORDER_MARK + text);
}
