import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { HttpError } from '../common/http-errors.ts';
import { routeOf } from '../common/metrics.ts';
import type { Shedding } from '../common/overload.ts';
import { refusalOfUnknown } from '../common/requests.ts';
import { busyPage, failurePage, notFoundPage, tooManyPage } from './pages/failure.ts';

/** For the OpenAPI document: a failure, as the dashboard's clients know it. */
export const failure = z.object({ error: z.string() }).meta({ id: 'Error' });

const PAGES = /^\/(providers|analytics.*)?$/;

/** A person with a browser, who is somewhere else than in the API; or whoever asks for a page. */
const isVisitor = (request: FastifyRequest): boolean =>
  PAGES.test(routeOf(request)) ||
  (request.headers.accept?.includes('text/html') === true && !request.url.startsWith('/api/'));

const sendPage = (reply: FastifyReply, page: string) =>
  reply.header('Cache-Control', 'no-store').type('text/html; charset=utf-8').send(page);

/** Too much to do; the status says it already. */
export const answerBusy = (request: FastifyRequest, reply: FastifyReply): FastifyReply =>
  isVisitor(request) ? sendPage(reply, busyPage()) : reply.send({ error: 'Servicio saturado' });

/** Too often; the headers say until when. */
export const answerTooMany = (request: FastifyRequest, reply: FastifyReply, seconds: string): FastifyReply =>
  isVisitor(request) ? sendPage(reply, tooManyPage(seconds)) : reply.send({ error: 'Rate limit excedido' });

/** What nobody expected is a 500 with one fixed text; its cause goes to the log only. A person reads a page. */
export function answerErrors(app: FastifyInstance, shedding: Shedding): void {
  app.setNotFoundHandler(async (request, reply) => {
    const [status, detail] = refusalOfUnknown(request);
    if (!isVisitor(request)) return reply.code(status).send({ detail });
    return reply.code(404).type('text/html; charset=utf-8').send(notFoundPage());
  });
  app.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
    if (error instanceof HttpError) return reply.code(error.statusCode).send({ detail: error.detail });
    if (error.statusCode !== undefined && error.statusCode < 500) {
      return reply.code(error.statusCode).send({ detail: error.message });
    }
    const excuse = shedding.excuse(error, request, reply);
    if (excuse !== undefined) return excuse;
    request.log.error({ err: error }, 'unexpected error');
    reply.code(500);
    return isVisitor(request) ? sendPage(reply, failurePage(request.id)) : reply.send({ error: 'Error interno' });
  });
}
