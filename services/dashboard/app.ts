import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { KeyringSource } from '../common/keyring.ts';
import type { Logger } from '../common/logging.ts';
import { countRequests } from '../common/metrics.ts';
import { serveReadiness } from '../common/readiness.ts';
import { echoRequestId, logRequests, serverOptions } from '../common/requests.ts';
import { serveMetrics } from '../common/scrape.ts';
import { closePolitely, type Lifecycle } from '../common/shutdown.ts';
import { apiKeyCheck, requireApiKey } from './access.ts';
import type { DashboardConfig } from './config.ts';
import type { Database } from './database.ts';
import { answerErrors } from './errors.ts';
import { readProviders, readStockAlerts, readSummary } from './figures.ts';
import { countDashboardRequests } from './metrics.ts';
import { homePage } from './pages/home.ts';
import { STYLE } from './pages/style.ts';
import { secureResponses } from './security.ts';

export type AppOptions = {
  readonly config: DashboardConfig;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly lifecycle: Lifecycle;
  readonly database: Database;
  readonly apiKeys: KeyringSource | undefined;
  readonly scrapeKeys: KeyringSource | undefined;
};

/**
 * The dashboard. It does not listen: tests inject requests, `server.ts` listens. Hooks may be added until it is ready;
 * whatever they throw is answered and counted like an error of its own.
 */
export function buildApp(options: AppOptions): FastifyInstance {
  const { config, database, lifecycle, registry } = options;
  const { prisma } = database;
  const app = fastify(serverOptions(options.logger)) as unknown as FastifyInstance;
  echoRequestId(app);
  secureResponses(app);
  closePolitely(app, lifecycle);
  countRequests(app, registry);
  countDashboardRequests(app, registry);
  logRequests(app);
  answerErrors(app);

  const check = apiKeyCheck(options.apiKeys);
  if (options.apiKeys === undefined) app.log.warn('/api is open to everyone: no API key is configured');
  app.get('/live', async () => ({ status: 'alive' }));
  serveHealth(app, database);
  serveReadiness(app, lifecycle, { database: database.probe });
  serveMetrics(app, registry, {
    scrapeKeys: options.scrapeKeys,
    alsoAllowed: options.apiKeys && (request => check(request) === 'granted'),
    openWithoutKeys: config.NODE_ENV !== 'production',
    refusal: { detail: 'API key requerida' },
  });

  const onRequest = requireApiKey(check);
  app.get('/api/summary', { onRequest }, () => readSummary(prisma));
  app.get('/api/providers', { onRequest }, () => readProviders(prisma));

  app.get('/static/dashboard.css', async (_request, reply) => {
    return reply.type('text/css; charset=utf-8').header('Cache-Control', 'max-age=3600').send(STYLE);
  });
  app.get('/', async (_request, reply) => {
    const [summary, providers, alerts] = await Promise.all([
      readSummary(prisma),
      readProviders(prisma),
      readStockAlerts(prisma),
    ]);
    return reply.type('text/html; charset=utf-8').send(homePage({ summary, providers, alerts }));
  });
  return app;
}

/** The answer that today's monitors parse; unlike /live it speaks of the database too. */
function serveHealth(app: FastifyInstance, database: Database): void {
  app.get('/health', async (_request, reply) => {
    const connected = await database.probe.answers();
    const service = connected ? 'healthy' : 'degraded';
    return reply.code(connected ? 200 : 503).send({
      status: connected ? 'healthy' : 'unhealthy',
      timestamp: new Date().toISOString(),
      database: connected ? 'connected' : 'error',
      services: { dashboard: 'healthy', analytics: service, api: service },
    });
  });
}
