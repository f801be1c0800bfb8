import cors from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { OPERATIONAL_ROUTES, routeOf } from '../common/metrics.ts';
import { clientKey, judgeBy, memoryHits } from '../common/rate-limit.ts';
import { answerWithoutHooks } from '../common/requests.ts';
import type { DashboardConfig } from './config.ts';

const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'geolocation=(), microphone=(), camera=()',
  'Content-Security-Policy':
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
};

const HSTS = { 'Strict-Transport-Security': 'max-age=63072000; includeSubDomains; preload' };

const headersOf = ({ DASHBOARD_ENABLE_HSTS }: DashboardConfig): Readonly<Record<string, string>> =>
  DASHBOARD_ENABLE_HSTS ? { ...SECURITY_HEADERS, ...HSTS } : SECURITY_HEADERS;

/** On every response, whatever its status. */
export function secureResponses(app: FastifyInstance, config: DashboardConfig): void {
  const headers = headersOf(config);
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
}

/** What is no HTTP meets no hook; its answer carries the headers all the same. */
export const answerBrokenRequests = (config: DashboardConfig) => answerWithoutHooks(headersOf(config));

/** The kubelet, Prometheus and the operator come by the pod's address, over plain HTTP, and often. */
const isOperational = (request: FastifyRequest) => OPERATIONAL_ROUTES.includes(routeOf(request));

const withoutPort = (host: string) => host.replace(/:\d+$/, '').toLowerCase();

/** `*` is any host, `*.example.com` every name below example.com. */
function hostCheck(allowed: readonly string[]): (host: string) => boolean {
  const exact = new Set(allowed.map(host => host.toLowerCase()));
  if (exact.has('*')) return () => true;
  const suffixes = [...exact].filter(host => host.startsWith('*.')).map(host => host.slice(1));
  return host => {
    const name = withoutPort(host);
    return exact.has(name) || suffixes.some(suffix => name.endsWith(suffix));
  };
}

/** 400 for a Host that is not ours: links made of it would lead elsewhere. */
export function allowHosts(app: FastifyInstance, { DASHBOARD_ALLOWED_HOSTS: allowed }: DashboardConfig): void {
  if (allowed.includes('*')) return;
  const isAllowed = hostCheck(allowed);
  app.addHook('onRequest', async (request, reply) => {
    if (isOperational(request) || isAllowed(request.host ?? '')) return;
    return reply.code(400).type('text/plain; charset=utf-8').send('Invalid host header');
  });
}

/** Sends plain HTTP to the same address over HTTPS. What the client used is known from trusted proxies only. */
export function forceHttps(app: FastifyInstance, config: DashboardConfig): void {
  if (!config.DASHBOARD_FORCE_HTTPS) return;
  app.addHook('onRequest', async (request, reply) => {
    if (request.protocol === 'https' || isOperational(request)) return;
    const host = request.host.replace(/:80$/, '');
    return reply.redirect(`https://${host}${request.originalUrl}`, 307);
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
      reply.code(429).send({ error: 'Rate limit excedido' });
    });
  });
}
