import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { HttpError, invalid, refusal } from '../common/http-errors.ts';
import { describeReadiness } from '../common/readiness.ts';
import { describeRecentRequests } from '../common/recent-requests.ts';
import { declareRoutes, type Routes } from '../common/routes.ts';
import { describeMetrics } from '../common/scrape.ts';
import { parse } from './errors.ts';

/** The version of the contract, which clients see; releases of the service have their own. */
const API_VERSION = '1.0.0';

/** DevShelf's routes: what is added here is served, guarded and in GET /openapi.json. */
export const apiRoutes = (app: FastifyInstance): Routes =>
  declareRoutes(app, {
    api: {
      title: 'DevShelf API',
      version: API_VERSION,
      description: 'A library of resources for programmers.',
      tags: ['resources', 'auth', 'operations'],
      security: {
        // two names for one thing: /docs logs in with the first and takes a token with the second
        OAuth2PasswordBearer: { type: 'oauth2', flows: { password: { tokenUrl: '/api/v1/auth/token', scopes: {} } } },
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        scrape: { type: 'http', scheme: 'bearer', description: 'The scrape token' },
      },
      refusal,
      invalid,
      busy: refusal,
    },
    guardSchemes: ['OAuth2PasswordBearer', 'bearer'],
    parse,
    refuse: (status, message) => new HttpError(status, message),
  });

const tags = ['operations'];
const status = z.object({ status: z.string() });

type Signs = { readonly withRecentRequests: boolean };

/** The welcome and the signs of life. */
export function serveSigns(routes: Routes, { withRecentRequests }: Signs): void {
  routes.add({
    method: 'GET',
    path: '/',
    tags,
    summary: 'Welcome',
    answer: { status: 200, schema: z.object({ message: z.string() }) },
    handle: () => ({ message: '¡Bienvenido a la API de la Biblioteca de Recursos para Programadores!' }),
  });
  routes.add({
    method: 'GET',
    path: '/health',
    tags,
    summary: 'The process answers; no dependency is asked',
    answer: { status: 200, schema: status },
    handle: () => ({ status: 'healthy' }),
  });
  routes.add({
    method: 'GET',
    path: '/live',
    tags,
    summary: 'The same, as Kubernetes calls it',
    answer: { status: 200, schema: status },
    handle: () => ({ status: 'alive' }),
  });
  describeReadiness(routes);
  describeMetrics(routes, 'scrape');
  if (withRecentRequests) describeRecentRequests(routes, 'scrape');
}
