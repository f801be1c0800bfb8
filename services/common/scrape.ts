import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import { findKeyId, type KeyringSource } from './keyring.ts';
import type { Routes } from './routes.ts';

export type ScrapeAccess = {
  readonly scrapeKeys: KeyringSource | undefined;
  /** another proof that may read the metrics, such as the dashboard's X-API-Key */
  readonly alsoAllowed?: ((request: FastifyRequest) => boolean) | undefined;
  /** without any key configured: open in development, closed in production */
  readonly openWithoutKeys: boolean;
  /** the body of the 401 */
  readonly refusal: (request: FastifyRequest) => unknown;
};

/** The API server's pod proxy keeps `Authorization` for itself: what comes through it says the token here. */
const PROXIED_TOKEN = 'x-scrape-token';

function scrapeToken(request: FastifyRequest): string | undefined {
  const proxied = request.headers[PROXIED_TOKEN];
  return bearerToken(request) ?? (typeof proxied === 'string' ? proxied : undefined);
}

/** `Authorization: Bearer <token>`, or undefined. */
export function bearerToken(request: FastifyRequest): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** GET /metrics in Prometheus' text format. */
export function serveMetrics(app: FastifyInstance, registry: Registry, access: ScrapeAccess): void {
  const anyKeyConfigured = access.scrapeKeys !== undefined || access.alsoAllowed !== undefined;
  if (!anyKeyConfigured) warnOnce(app, access.openWithoutKeys);

  const allowed = (request: FastifyRequest) => {
    if (!anyKeyConfigured) return access.openWithoutKeys;
    const token = scrapeToken(request);
    if (token !== undefined && access.scrapeKeys && findKeyId(access.scrapeKeys.value, token) !== undefined)
      return true;
    return access.alsoAllowed?.(request) ?? false;
  };

  app.get('/metrics', async (request, reply) => {
    if (!allowed(request)) return reply.code(401).header('WWW-Authenticate', 'Bearer').send(access.refusal(request));
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}

function warnOnce(app: FastifyInstance, open: boolean): void {
  const state = open ? 'open to everyone' : 'closed';
  app.log.warn(`/metrics is ${state}: neither SCRAPE_TOKEN_DIR nor SCRAPE_TOKEN is set`);
}

/** `security`: the names of what opens it. */
export function describeMetrics(routes: Routes, security: string | readonly string[]): void {
  routes.describe({
    method: 'GET',
    path: '/metrics',
    tags: ['operations'],
    summary: 'Metrics in Prometheus’ text format',
    security,
    answer: { status: 200, mediaType: 'text/plain' },
  });
}
