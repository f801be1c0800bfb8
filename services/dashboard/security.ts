import cors from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { OPERATIONAL_ROUTES, routeOf } from '../common/metrics.ts';
import { trusts } from '../common/proxy.ts';
import { hostName } from '../common/public-hosts.ts';
import { clientKey, judgeBy, memoryHits } from '../common/rate-limit.ts';
import { isRehearsal } from '../common/rehearsal.ts';
import { type Headers, securityHeaders } from '../common/security-headers.ts';
import type { DashboardConfig } from './config.ts';
import { answerTooMany } from './errors.ts';

export const headersOf = ({ DASHBOARD_ENABLE_HSTS: hsts }: DashboardConfig): Headers =>
  securityHeaders({
    contentSecurityPolicy:
      "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    hsts,
  });

/** What is not everybody's. */
export const SECRET_PATHS = ['/api/', '/metrics', '/recent-requests'];

/** The kubelet, Prometheus and the operator come by the pod's address, over plain HTTP, and often. */
const isOperational = (request: FastifyRequest) =>
  OPERATIONAL_ROUTES.includes(routeOf(request)) || isRehearsal(request);

/** `*` is any host, `*.example.com` every name below example.com. */
function hostCheck(allowed: readonly string[]): (host: string) => boolean {
  const exact = new Set(allowed.map(host => host.toLowerCase()));
  if (exact.has('*')) return () => true;
  const suffixes = [...exact].filter(host => host.startsWith('*.')).map(host => host.slice(1));
  // nearly all requests name the same one
  let last: string | undefined;
  return host => {
    if (host === last) return true;
    const name = hostName(host);
    const isAllowed = exact.has(name) || suffixes.some(suffix => name.endsWith(suffix));
    if (isAllowed) last = host;
    return isAllowed;
  };
}

/** Whether a request is the operator's own: it shows the scrape token. It asks pods by their address. */
export type IsInsider = (request: FastifyRequest) => boolean;

/** 400 for a Host that is not ours: links made of it would lead elsewhere. */
export function allowHosts(
  app: FastifyInstance,
  { DASHBOARD_ALLOWED_HOSTS: allowed }: DashboardConfig,
  isInsider: IsInsider,
): void {
  if (allowed.includes('*')) return;
  const isAllowed = hostCheck(allowed);
  app.addHook('onRequest', (request, reply, done) => {
    if (isOperational(request) || isAllowed(request.host ?? '') || isInsider(request)) return done();
    reply.code(400).type('text/plain; charset=utf-8').send('Invalid host header');
  });
}

/**
 * Sends plain HTTP to the same address over HTTPS. A program is refused instead: its key has gone in clear, and a client
 * that follows would never learn of it. Only what came through a trusted proxy that says how it was asked: inside the
 * cluster nobody serves HTTPS, and behind a proxy that does not say it the redirect would lead to itself for ever.
 */
export function forceHttps(app: FastifyInstance, config: DashboardConfig, isInsider: IsInsider): void {
  if (!config.DASHBOARD_FORCE_HTTPS) return;
  const isTrusted = trusts(config.TRUST_PROXY);
  const cameInClear = ({ protocol, headers, socket }: FastifyRequest) =>
    protocol !== 'https' && headers['x-forwarded-proto'] !== undefined && isTrusted(socket.remoteAddress);
  app.addHook('onRequest', async (request, reply) => {
    if (!cameInClear(request) || isOperational(request) || isInsider(request)) return;
    if (request.url.startsWith('/api/')) return reply.code(403).send({ detail: 'Se requiere HTTPS' });
    const host = request.host.replace(/:80$/, '');
    return reply.redirect(`https://${host}${request.url}`, 307);
  });
}

/** Other origins may read, without credentials: the key is all that opens the API. */
export function allowOrigins(app: FastifyInstance, { DASHBOARD_CORS_ORIGINS: origins }: DashboardConfig): void {
  if (origins.length === 0) return;
  app.register(cors, {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET'],
    allowedHeaders: ['X-API-Key', 'X-Request-ID'],
    exposedHeaders: ['X-Request-ID', 'RateLimit', 'RateLimit-Policy', 'Retry-After'],
    credentials: false,
    maxAge: 600,
    strictPreflight: false,
  });
}

/** Files from memory, several for each page: a limit on them would only take the style off somebody's page. */
const isUnlimited = (request: FastifyRequest) => isOperational(request) || routeOf(request).startsWith('/static/');

/** So many requests of one client to one route within a window; paths that no route serves count as one. */
export function limitRates(app: FastifyInstance, config: DashboardConfig): void {
  if (!config.DASHBOARD_RATELIMIT_ENABLED) return;
  const windowMs = config.DASHBOARD_RATELIMIT_WINDOW * 1_000;
  const judge = judgeBy({ max: config.DASHBOARD_RATELIMIT_MAX, windowMs });
  const hits = memoryHits();
  // after what allowOrigins registers: other origins may read a 429, too
  app.after(() => {
    app.addHook('onRequest', (request, reply, done) => {
      if (isUnlimited(request)) return done();
      const { limited, headers } = judge(hits.hit(`${clientKey(request.ip)} ${routeOf(request)}`, windowMs));
      reply.headers(headers);
      if (!limited) return done();
      answerTooMany(request, reply.code(429), headers['retry-after'] ?? '');
    });
  });
}
