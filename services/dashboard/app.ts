import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { KeyringSource } from '../common/keyring.ts';
import type { Logger } from '../common/logging.ts';
import { countRequests } from '../common/metrics.ts';
import { serveReadiness } from '../common/readiness.ts';
import { echoRequestId, logRequests, serverOptions } from '../common/requests.ts';
import { serveMetrics } from '../common/scrape.ts';
import { closePolitely, type Lifecycle } from '../common/shutdown.ts';
import { apiKeyCheck, orUiKey, refusalOf, requireApiKey } from './access.ts';
import { serveApi } from './api.ts';
import { createCache } from './cache.ts';
import type { DashboardConfig } from './config.ts';
import type { Database } from './database.ts';
import { answerErrors } from './errors.ts';
import { createFigures } from './figures.ts';
import { countDashboardRequests } from './metrics.ts';
import { dashboardRoutes, describeSigns, serveDocument } from './openapi.ts';
import { servePages } from './pages/routes.ts';
import { allowHosts, allowOrigins, answerBrokenRequests, forceHttps, limitRates, secureResponses } from './security.ts';

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
  const app = fastify({
    ...serverOptions(options.logger),
    trustProxy: config.TRUST_PROXY,
    clientErrorHandler: answerBrokenRequests(config),
  }) as unknown as FastifyInstance;
  echoRequestId(app);
  secureResponses(app, config);
  closePolitely(app, lifecycle);
  countDashboardRequests(app, registry, countRequests(app, registry));
  logRequests(app);
  answerErrors(app);
  allowHosts(app, config);
  forceHttps(app, config);
  allowOrigins(app, config);
  limitRates(app, config);
  const routes = dashboardRoutes(app);

  const check = apiKeyCheck(options.apiKeys);
  if (options.apiKeys === undefined) app.log.warn('/api is open to everyone: no API key is configured');
  app.get('/live', async () => ({ status: 'alive' }));
  serveHealth(app, database);
  serveReadiness(app, lifecycle, { database: database.probe });
  serveMetrics(app, registry, {
    scrapeKeys: options.scrapeKeys,
    alsoAllowed: options.apiKeys && (request => check(request) === 'granted'),
    openWithoutKeys: config.NODE_ENV !== 'production',
    refusal: request => ({ detail: refusalOf(check(request)) }),
  });

  describeSigns(routes);

  const cache = createCache({ ttlMs: config.DASHBOARD_CACHE_SECONDS * 1_000 });
  const figures = createFigures({ sql: database.sql, cache });
  serveApi(routes, { figures, guard: requireApiKey(orUiKey(check, config.DASHBOARD_UI_API_KEY)) });
  servePages(app, { figures });
  serveDocument(app, routes);
  routes.refuseOtherMethods();
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
