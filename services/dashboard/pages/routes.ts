import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Figures } from '../figures.ts';
import { marketDay } from '../periods.ts';
import * as analytics from './analytics.ts';
import { serveAssets } from './assets.ts';
import { type Document, sendDocument } from './document.ts';
import { serveDownloads } from './downloads.ts';
import * as home from './home.ts';
import { keepPages } from './kept.ts';
import { type Page, renderPage } from './layout.ts';
import { providerOrder, providersBody } from './providers.ts';
import { readAnalyticsQuery } from './query.ts';

export type PagesOptions = {
  readonly figures: Figures;
  readonly now?: () => Date;
};

type Asked = { Querystring: Record<string, unknown> };

/** The pages for people. They need no key, so that the key never has to be in them. */
export function servePages(app: FastifyInstance, { figures, now = () => new Date() }: PagesOptions): void {
  const kept = keepPages();

  /** `key` says all that the page depends on besides its figures and the day. */
  const show = (key: string, seen: readonly unknown[], page: (today: string) => Omit<Page, 'readAt'>): Document => {
    const readAt = now();
    const today = marketDay(readAt);
    return kept(`${today} ${key}`, seen, () => renderPage({ ...page(today), readAt }));
  };

  app.get('/', async (request, reply) => {
    const seen = await Promise.all([
      figures.summary(),
      figures.providers(),
      figures.stockAlerts({ limit: home.ALERTS }),
      figures.stockTimeline({ days: home.ACTIVITY_DAYS }),
      figures.stockByProvider({ limit: home.STOCK_PROVIDERS }),
      figures.weeklySales({ weeks: home.SALES_WEEKS }),
    ]);
    const [summary, providers, alerts, activity, stock, sales] = seen;
    const document = show('/', seen, today => ({
      path: '/',
      title: 'Resumen',
      body: home.homeBody({ today, summary, providers, alerts, activity, stock, sales }),
    }));
    return send(request, reply, document);
  });

  app.get<Asked>('/providers', async (request, reply) => {
    const order = providerOrder(request.query['orden']);
    const seen = await Promise.all([figures.providers(), figures.summary()]);
    const [providers, summary] = seen;
    const document = show(`/providers ${order}`, seen, () => ({
      path: '/providers',
      title: 'Proveedores',
      body: providersBody(providers, order, summary.total_pedidos),
    }));
    return send(request, reply, document);
  });

  app.get<Asked>('/analytics', async (request, reply) => {
    const { filters, ignored, asked } = readAnalyticsQuery(request.query);
    const page = analytics.tablePage(asked, await figures.countTopProducts(filters));
    const offset = (page.current - 1) * analytics.PAGE_ROWS;
    const seen = await Promise.all([
      figures.topProducts({ ...filters, limit: analytics.TOP_PRODUCTS }),
      figures.topProducts({ ...filters, limit: analytics.PAGE_ROWS, offset }),
      figures.trends({ ...filters, months: analytics.TREND_MONTHS }),
      figures.providers(),
    ]);
    const [top, products, trends, providers] = seen;
    const document = show(`/analytics ${JSON.stringify({ filters, ignored, page })}`, seen, today => ({
      path: '/analytics',
      title: 'Analítica',
      body: analytics.analyticsBody({ today, filters, ignored, page, top, products, trends, providers }),
    }));
    return send(request, reply, document);
  });

  serveDownloads(app, figures);
  serveAssets(app);
}

/** Kept by browsers, but asked for again each time: 304 while nothing changed. */
function send(request: FastifyRequest, reply: FastifyReply, document: Document) {
  reply.header('Cache-Control', 'no-cache');
  return sendDocument(request, reply, document);
}
