import fastify, { type FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
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
import { serveMetrics } from '../common/scrape.ts';
import { answerWithHeaders, jsonHeaders } from '../common/security-headers.ts';
import { closePolitely, type Lifecycle } from '../common/shutdown.ts';
import { serveAccount } from './account.ts';
import { authenticate, forgetOldSessions, openAuth, serveAuth } from './auth.ts';
import { readBodies } from './bodies.ts';
import type { ApiConfig } from './config.ts';
import type { Database } from './database.ts';
import { serveDocs } from './docs.ts';
import { answerBusy, answerErrors } from './errors.ts';
import { serveForgotten } from './forgotten.ts';
import { limitMails } from './limits.ts';
import { openMailer } from './mail.ts';
import { apiRoutes, serveSigns } from './openapi.ts';
import type { JobQueue } from './queue.ts';
import { resourceQueries } from './resource-queries.ts';
import { serveResources } from './resources.ts';
import { resetTokens } from './tokens.ts';

export type AppOptions = {
  readonly config: ApiConfig;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly lifecycle: Lifecycle;
  readonly database: Database;
  readonly jobs: JobQueue | undefined;
  /** counts requests and knows revoked tokens; without it each process does for itself */
  readonly redis: Redis | undefined;
  readonly signingKeys: KeyringSource;
  readonly scrapeKeys: KeyringSource | undefined;
};

/** What is not everybody's. */
const SECRET_PATHS = ['/api/v1/auth/', '/metrics', '/recent-requests'];

/**
 * DevShelf's API. It does not listen: tests inject requests, `server.ts` listens. Hooks may be added until it is ready;
 * whatever they throw is answered and counted like an error of its own.
 */
export function buildApp(options: AppOptions): FastifyInstance {
  const { config, database, jobs, lifecycle, registry } = options;
  const headers = jsonHeaders({ hsts: config.ENABLE_HSTS });
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
  countRequests(app, registry, recent);
  logRequests(app);
  const shedding = { registry, pool: database.load, busy: answerBusy, enabled: config.SHED_LOAD };
  answerErrors(app, shedLoad(app, shedding));
  hideFromPublic(app, config.PUBLIC_HOSTS);
  readBodies(app);
  const routes = apiRoutes(app);

  serveSigns(routes, { withRecentRequests: recent !== undefined });
  serveReadiness(app, lifecycle, { database: database.probe, ...(jobs && { redis: jobs.probe }) });
  const reader = serveMetrics(app, registry, {
    scrapeKeys: options.scrapeKeys,
    openWithoutKeys: config.NODE_ENV !== 'production',
    refusal: () => ({ detail: 'Not authenticated' }),
  });
  if (recent) serveRecentRequests(app, recent, reader);

  const auth = openAuth(options);
  serveAuth(routes, auth);
  serveAccount(routes, auth);
  const mailer = openMailer({ config, logger: options.logger, metrics: auth.metrics });
  if (mailer !== undefined) {
    serveForgotten(app, routes, auth, {
      mailer,
      tokens: resetTokens(options.signingKeys),
      page: config.PASSWORD_RESET_URL,
      mayWrite: limitMails(options),
    });
  }
  forgetOldSessions(app, auth);
  serveResources(routes, {
    prisma: database.prisma,
    queries: resourceQueries(database.pool),
    authenticate: request => authenticate(request, auth),
    jobs,
    limit: auth.limit,
  });
  if (config.DOCS_ENABLED) serveDocs(app, routes);
  routes.refuseOtherMethods();
  return app;
}
