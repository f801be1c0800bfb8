import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { HttpError, invalid, parse, refusal } from '../common/http-errors.ts';
import { describeReadiness } from '../common/readiness.ts';
import { describeRecentRequests } from '../common/recent-requests.ts';
import { declareRoutes, type Routes } from '../common/routes.ts';
import { describeMetrics } from '../common/scrape.ts';
import { failure } from './errors.ts';

/** The version of the contract, which clients see; releases of the service have their own. */
const API_VERSION = '1.0.0';

/** The dashboard's routes: what is added here is served, guarded and in GET /openapi.json. */
export const dashboardRoutes = (app: FastifyInstance): Routes =>
  declareRoutes(app, {
    api: {
      title: 'Dashboard Mini Market',
      version: API_VERSION,
      description: 'The figures of a small market. Days, weeks and months are those of Buenos Aires.',
      security: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        scrape: { type: 'http', scheme: 'bearer', description: 'The scrape token' },
      },
      refusal,
      invalid,
      busy: failure,
    },
    guardSchemes: ['apiKey'],
    parse,
    refuse: (status, message) => new HttpError(status, message),
  });

const tags = ['operations'];

const health = z.object({
  status: z.enum(['healthy', 'unhealthy']),
  timestamp: z.iso.datetime(),
  database: z.enum(['connected', 'error']),
  services: z.object({ dashboard: z.string(), analytics: z.string(), api: z.string() }),
});

type Signs = { readonly withRecentRequests: boolean };

/** What app.ts serves. */
export function describeSigns(routes: Routes, { withRecentRequests }: Signs): void {
  routes.describe({
    method: 'GET',
    path: '/live',
    tags,
    summary: 'The process answers; no dependency is asked',
    answer: { status: 200, schema: z.object({ status: z.string() }) },
  });
  routes.describe({
    method: 'GET',
    path: '/health',
    tags,
    summary: 'The answer that monitors read: process and database',
    answer: { status: 200, schema: health },
    refusals: { 503: { description: 'The database does not answer', schema: health } },
  });
  describeReadiness(routes);
  describeMetrics(routes, ['apiKey', 'scrape']);
  if (withRecentRequests) describeRecentRequests(routes, ['apiKey', 'scrape']);
}

/** GET /openapi.json, made at the first request, so that no start waits for it. */
export function serveDocument(app: FastifyInstance, routes: Routes): void {
  let text: string | undefined;
  app.get('/openapi.json', async (_request, reply) => {
    text ??= JSON.stringify(routes.document());
    return reply.type('application/json; charset=utf-8').send(text);
  });
}
