import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { KeyringSource } from '../common/keyring.ts';
import type { Logger } from '../common/logging.ts';
import { countRequests } from '../common/metrics.ts';
import { shedLoad } from '../common/overload.ts';
import { hideFromPublic } from '../common/public-hosts.ts';
import { serveReadiness } from '../common/readiness.ts';
import { recentRequests, serveRecentRequests } from '../common/recent-requests.ts';
import { markRehearsals } from '../common/rehearsal.ts';
import { answerExpectations, answerWithoutHooks, logRequests, serverOptions } from '../common/requests.ts';
import { serveMetrics, showsScrapeToken } from '../common/scrape.ts';
import { answerWithHeaders } from '../common/security-headers.ts';
import { closePolitely, type Lifecycle } from '../common/shutdown.ts';
import { apiKeyCheck, orUiKey, refusalOf, requireApiKey } from './access.ts';
import { serveApi } from './api.ts';
import { createCache } from './cache.ts';
import type { DashboardConfig } from './config.ts';
import type { Database } from './database.ts';
import { answerBusy, answerErrors } from './errors.ts';
import { createFigures } from './figures.ts';
import { countDashboardRequests } from './metrics.ts';
import { dashboardRoutes, describeSigns, serveDocument } from './openapi.ts';
import { servePages } from './pages/routes.ts';
import { allowHosts, allowOrigins, forceHttps, headersOf, limitRates, SECRET_PATHS } from './security.ts';

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
  const headers = headersOf(config);
  const app = fastify({
    ...serverOptions(options.logger),
    trustProxy: config.TRUST_PROXY,
    clientErrorHandler: answerWithoutHooks(headers),
  }) as unknown as FastifyInstance;
  answerExpectations(app, headers);
  answerWithHeaders(app, headers, SECRET_PATHS);
  closePolitely(app, lifecycle);
  markRehearsals(app, options.scrapeKeys);
  const recent = config.RECENT_REQUESTS ? recentRequests() : undefined;
  countDashboardRequests(app, registry, countRequests(app, registry, recent));
  logRequests(app);
  const shedding = { registry, pool: database.load, busy: answerBusy, enabled: config.SHED_LOAD };
  answerErrors(app, shedLoad(app, shedding));
  const isInsider = showsScrapeToken(options.scrapeKeys);
  hideFromPublic(app, config.PUBLIC_HOSTS);
  allowHosts(app, config, isInsider);
  forceHttps(app, config, isInsider);
  allowOrigins(app, config);
  limitRates(app, config);
  const routes = dashboardRoutes(app);

  const check = apiKeyCheck(options.apiKeys);
  if (options.apiKeys === undefined) app.log.warn('/api is open to everyone: no API key is configured');
  app.get('/live', async () => ({ status: 'alive' }));
  serveHealth(app, database);
  serveReadiness(app, lifecycle, { database: database.probe });
  const reader = serveMetrics(app, registry, {
    scrapeKeys: options.scrapeKeys,
    alsoAllowed: options.apiKeys && (request => check(request) === 'granted'),
    openWithoutKeys: config.NODE_ENV !== 'production',
    refusal: request => ({ detail: refusalOf(check(request)) }),
  });
  if (recent) serveRecentRequests(app, recent, reader);

  describeSigns(routes, { withRecentRequests: recent !== undefined });

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
    const service = connected ? 'ok' : 'degraded';
    return reply.code(connected ? 200 : 503).send({
      status: connected ? 'healthy' : 'unhealthy',
      timestamp: new Date().toISOString(),
      database: connected ? 'connected' : 'error',
      services: { dashboard: 'ok', analytics: service, api: service },
    });
  });
}
