import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import { acceptKey, type KeyringSource } from './keyring.ts';
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

/** Whether a request shows a valid scrape token: it is Prometheus' or the operator's, whatever it asks for. */
export function showsScrapeToken(scrapeKeys: KeyringSource | undefined): (request: FastifyRequest) => boolean {
  return request => {
    const token = scrapeKeys && scrapeToken(request);
    return token !== undefined && scrapeKeys !== undefined && acceptKey(scrapeKeys, token) !== undefined;
  };
}

/** `Authorization: Bearer <token>`, or undefined. */
export function bearerToken(request: FastifyRequest): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

const READERS = ['prometheus', 'operator', 'other'] as const;

/** By its User-Agent: `Prometheus/2.42.0`, `devshelf-operator/0.1.0`. */
function readerOf({ headers }: FastifyRequest): (typeof READERS)[number] {
  const agent = headers['user-agent']?.toLowerCase() ?? '';
  if (agent.startsWith('prometheus/')) return 'prometheus';
  return agent.startsWith('devshelf-operator/') ? 'operator' : 'other';
}

/** From the first reading on all are there: whether a Prometheus reads this pod is a number, and never a missing one. */
function countScrapes(registry: Registry): Counter<'by'> {
  const scrapes = new Counter({
    name: 'scrapes_total',
    help: 'Readings of these metrics, by who read them: prometheus, operator or other; refused ones left out',
    labelNames: ['by'],
    registers: [registry],
  });
  for (const by of READERS) scrapes.inc({ by }, 0);
  return scrapes;
}

export type ScrapeReader = {
  readonly allows: (request: FastifyRequest) => boolean;
  /** The 401. */
  readonly refuse: (request: FastifyRequest, reply: FastifyReply) => FastifyReply;
};

/** GET /metrics in Prometheus' text format. Returns who may read it, for what else is told to the same readers. */
export function serveMetrics(app: FastifyInstance, registry: Registry, access: ScrapeAccess): ScrapeReader {
  const anyKeyConfigured = access.scrapeKeys !== undefined || access.alsoAllowed !== undefined;
  if (!anyKeyConfigured) warnOnce(app, access.openWithoutKeys);
  const scrapes = countScrapes(registry);
  const showsToken = showsScrapeToken(access.scrapeKeys);

  const allows = (request: FastifyRequest) => {
    if (!anyKeyConfigured) return access.openWithoutKeys;
    return showsToken(request) || (access.alsoAllowed?.(request) ?? false);
  };

  const refuse = (request: FastifyRequest, reply: FastifyReply) =>
    reply.code(401).header('WWW-Authenticate', 'Bearer').send(access.refusal(request));

  app.get('/metrics', async (request, reply) => {
    if (!allows(request)) return refuse(request, reply);
    scrapes.inc({ by: readerOf(request) });
    return reply.type(registry.contentType).send(await registry.metrics());
  });
  return { allows, refuse };
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
