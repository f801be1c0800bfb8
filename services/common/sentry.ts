import type { FastifyInstance, FastifyRequest } from 'fastify';
import { routeOf } from './metrics.ts';

/** Errors that nobody expected go to Sentry, and nothing else does. */
export type ErrorReporter = {
  /** Never throws, never waits. `tags` say where it happened, in words that are no secret. */
  report(error: unknown, tags: Readonly<Record<string, string>>): void;
  /** Sends what is left; takes no longer than two seconds. */
  close(): Promise<void>;
};

/** Nothing is loaded where there is no DSN. SENTRY_ENVIRONMENT and SENTRY_RELEASE mean what they mean everywhere. */
export async function openSentry(dsn: string | undefined, service: string): Promise<ErrorReporter | undefined> {
  if (dsn === undefined) return undefined;
  const { startSentry } = await import('./sentry-sdk.ts');
  return startSentry(dsn, service);
}

/** Too much to do is said on purpose (overload.ts), and often. */
const BUSY = 503;

/** Reports what was thrown when the answer is 5xx: what a client did wrong is none of Sentry's business. */
export function reportErrors(app: FastifyInstance, reporter: ErrorReporter | undefined): void {
  if (reporter === undefined) return;
  const thrown = new WeakMap<FastifyRequest, unknown>();
  app.addHook('onError', async (request, _reply, error) => {
    thrown.set(request, error);
  });
  app.addHook('onResponse', async (request, reply) => {
    const error = thrown.get(request);
    if (error === undefined || reply.statusCode < 500 || reply.statusCode === BUSY) return;
    reporter.report(error, { method: request.method, route: routeOf(request), request_id: request.id });
  });
}
