import fastify, { type FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import type { Registry } from 'prom-client';
import type { KeyringSource } from '../common/keyring.ts';
import type { Logger } from '../common/logging.ts';
import { countRequests } from '../common/metrics.ts';
import { serveReadiness } from '../common/readiness.ts';
import { answerWithoutHooks, echoRequestId, logRequests, serverOptions } from '../common/requests.ts';
import { serveMetrics } from '../common/scrape.ts';
import { closePolitely, type Lifecycle } from '../common/shutdown.ts';
import { authenticate, forgetOldSessions, openAuth, serveAuth } from './auth.ts';
import { readBodies } from './bodies.ts';
import type { ApiConfig } from './config.ts';
import type { Database } from './database.ts';
import { serveDocs } from './docs.ts';
import { answerErrors } from './errors.ts';
import { apiRoutes, serveSigns } from './openapi.ts';
import type { JobQueue } from './queue.ts';
import { resourceQueries } from './resource-queries.ts';
import { serveResources } from './resources.ts';

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

/**
 * DevShelf's API. It does not listen: tests inject requests, `server.ts` listens. Hooks may be added until it is ready;
 * whatever they throw is answered and counted like an error of its own.
 */
export function buildApp(options: AppOptions): FastifyInstance {
  const { config, database, jobs, lifecycle, registry } = options;
  const app = fastify({
    ...serverOptions(options.logger),
    trustProxy: config.TRUST_PROXY,
    clientErrorHandler: answerWithoutHooks(),
  }) as unknown as FastifyInstance;
  echoRequestId(app);
  closePolitely(app, lifecycle);
  countRequests(app, registry);
  logRequests(app);
  answerErrors(app);
  readBodies(app);
  const routes = apiRoutes(app);

  serveSigns(routes);
  serveReadiness(app, lifecycle, { database: database.probe, ...(jobs && { redis: jobs.probe }) });
  serveMetrics(app, registry, {
    scrapeKeys: options.scrapeKeys,
    openWithoutKeys: config.NODE_ENV !== 'production',
    refusal: () => ({ detail: 'Not authenticated' }),
  });

  const auth = openAuth(options);
  serveAuth(routes, auth);
  forgetOldSessions(app, auth);
  serveResources(routes, {
    prisma: database.prisma,
    queries: resourceQueries(database.pool),
    authenticate: request => authenticate(request, auth),
    jobs,
  });
  serveDocs(app, routes);
  routes.refuseOtherMethods();
  return app;
}
