import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as z from 'zod';
import type { Place } from '../common/routes.ts';
import { NOT_AN_INTEGER } from '../common/schemas.ts';
import { notFoundPage } from './pages/failure.ts';

/** An answer that is not the expected one, in the shape `{"detail": …}` that the dashboard's clients know. */
export class HttpError extends Error {
  readonly code = 'HTTP_ERROR';
  readonly statusCode: number;
  readonly detail: unknown;

  constructor(statusCode: number, detail: unknown) {
    super(`HTTP ${statusCode}`);
    this.statusCode = statusCode;
    this.detail = detail;
  }
}

/**
 * Guards the edge: what comes in fits the schema or the answer is 422, one entry for each fault.
 * @throws HttpError
 */
export function parse<Schema extends z.ZodType>(schema: Schema, place: Place, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message, code }) => ({
    loc: [place, ...path],
    msg: message,
    type: message === NOT_AN_INTEGER ? 'int_parsing' : code,
  }));
  throw new HttpError(422, faults);
}

/** The shapes, for the OpenAPI document. */
export const refusal = z.object({ detail: z.string() }).meta({ id: 'HTTPError' });
export const failure = z.object({ error: z.string() }).meta({ id: 'Error' });
export const invalid = z
  .object({
    detail: z.array(
      z
        .object({ loc: z.array(z.union([z.string(), z.int()])), msg: z.string(), type: z.string() })
        .meta({ id: 'ValidationError' }),
    ),
  })
  .meta({ id: 'HTTPValidationError' });

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
