// The headers that browsers obey, on every response of both services, whatever its status.
import type { FastifyInstance } from 'fastify';

export type Headers = Readonly<Record<string, string>>;

const COMMON: Headers = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'geolocation=(), microphone=(), camera=()',
};

const HSTS: Headers = { 'Strict-Transport-Security': 'max-age=63072000; includeSubDomains; preload' };

export type SecuritySettings = {
  readonly contentSecurityPolicy: string;
  /** browsers are told to come by HTTPS only, for two years */
  readonly hsts: boolean;
};

export const securityHeaders = ({ contentSecurityPolicy, hsts }: SecuritySettings): Headers => ({
  ...COMMON,
  'Content-Security-Policy': contentSecurityPolicy,
  ...(hsts && HSTS),
});

/** For what is JSON only: nothing is needed, whatever a browser takes it for. */
export const jsonHeaders = ({ hsts }: Pick<SecuritySettings, 'hsts'>): Headers =>
  securityHeaders({
    contentSecurityPolicy: "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    hsts,
  });

/**
 * Sets them and the request's id before anything can answer. What begins with one of `secret` is for its caller alone:
 * no cache on the way may keep it, errors included.
 */
export function answerWithHeaders(app: FastifyInstance, headers: Headers, secret: readonly string[]): void {
  const unkept = { ...headers, 'Cache-Control': 'no-store' };
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('X-Request-ID', request.id);
    reply.headers(secret.some(path => request.url.startsWith(path)) ? unkept : headers);
    done();
  });
}
