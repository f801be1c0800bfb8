import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import type { Probe } from './database.ts';
import type { Routes } from './routes.ts';
import type { Lifecycle } from './shutdown.ts';

type Answer = 'ok' | 'failed';

/**
 * GET /ready: 200 while every dependency answers, else 503 that names the one that does not. From SIGTERM on 503 at
 * once, without asking, so that the endpoints forget this pod before it stops listening.
 */
export function serveReadiness(
  app: FastifyInstance,
  lifecycle: Lifecycle,
  probes: Readonly<Record<string, Probe>>,
): void {
  app.get('/ready', async (_request, reply) => {
    if (lifecycle.stopping) return reply.code(503).send({ status: 'stopping', dependencies: {} });
    const dependencies = Object.fromEntries(
      await Promise.all(
        Object.entries(probes).map(async ([name, probe]): Promise<[string, Answer]> => {
          return [name, (await probe.answers()) ? 'ok' : 'failed'];
        }),
      ),
    );
    const ready = Object.values(dependencies).every(answer => answer === 'ok');
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'unavailable', dependencies });
  });
}

const readiness = z.object({ status: z.string(), dependencies: z.record(z.string(), z.enum(['ok', 'failed'])) });

export function describeReadiness(routes: Routes): void {
  routes.describe({
    method: 'GET',
    path: '/ready',
    tags: ['operations'],
    summary: 'Every dependency answers',
    answer: { status: 200, schema: readiness },
    refusals: { 503: { description: 'Names the dependency that does not, or the process stops', schema: readiness } },
  });
}
