import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { HttpError } from '../common/http-errors.ts';
import { notFoundPage } from './pages/failure.ts';

/** For the OpenAPI document: a failure, as the dashboard's clients know it. */
export const failure = z.object({ error: z.string() }).meta({ id: 'Error' });

/** A person with a browser, who is somewhere else than in the API. */
const isVisitor = ({ headers, url }: FastifyRequest): boolean =>
  headers.accept?.includes('text/html') === true && !url.startsWith('/api/');

/** What nobody expected is a 500 with one fixed text; its cause goes to the log only. */
export function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler(async (request, reply) => {
    if (!isVisitor(request)) return reply.code(404).send({ detail: 'Not Found' });
    return reply.code(404).type('text/html; charset=utf-8').send(notFoundPage());
  });
  app.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
    if (error instanceof HttpError) return reply.code(error.statusCode).send({ detail: error.detail });
    if (error.statusCode !== undefined && error.statusCode < 500) {
      return reply.code(error.statusCode).send({ detail: error.message });
    }
    request.log.error({ err: error }, 'unexpected error');
    return reply.code(500).send({ error: 'Error interno' });
  });
}
