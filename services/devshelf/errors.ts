import type { FastifyInstance, FastifyReply } from 'fastify';
import * as z from 'zod';
import type { Place } from '../common/routes.ts';
import { NOT_AN_INTEGER } from '../common/schemas.ts';

/** An answer that is not the expected one, in the shape `{"detail": …}` that DevShelf's clients know. */
export class HttpError extends Error {
  readonly code = 'HTTP_ERROR';
  readonly status: number;
  readonly detail: unknown;

  constructor(status: number, detail: unknown) {
    super(`HTTP ${status}`);
    this.status = status;
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
  throw new HttpError(
    422,
    parsed.error.issues.map(issue => ({ loc: [place, ...issue.path], ...fault(issue) })),
  );
}

/** FastAPI's words for the two faults that clients look for; else zod's. */
function fault({ code, message }: z.core.$ZodIssue): { msg: string; type: string } {
  if (code === 'invalid_type' && message.endsWith('received undefined'))
    return { msg: 'Field required', type: 'missing' };
  return { msg: message, type: message === NOT_AN_INTEGER ? 'int_parsing' : code };
}

/** The shapes of both, for the OpenAPI document. */
export const refusal = z.object({ detail: z.string() }).meta({ id: 'HTTPError' });

export const invalid = z
  .object({
    detail: z.array(
      z
        .object({ loc: z.array(z.union([z.string(), z.int()])), msg: z.string(), type: z.string() })
        .meta({ id: 'ValidationError' }),
    ),
  })
  .meta({ id: 'HTTPValidationError' });

/** Whatever is thrown becomes an answer; what nobody expected is a 500 that tells its cause to the log only. */
export function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ detail: 'Not Found' }));
  app.setErrorHandler(async (error: Error & { code?: string; statusCode?: number }, request, reply) => {
    if (error instanceof HttpError) return answer(reply, error.status, error.detail);
    if (error.code === 'FST_ERR_CTP_INVALID_JSON_BODY') {
      return answer(reply, 422, [{ loc: ['body'], msg: 'JSON decode error', type: 'json_invalid' }]);
    }
    if (error.statusCode !== undefined && error.statusCode < 500) return answer(reply, error.statusCode, error.message);
    request.log.error({ err: error }, 'unexpected error');
    return answer(reply, 500, 'Internal Server Error');
  });
}

function answer(reply: FastifyReply, status: number, detail: unknown): FastifyReply {
  if (status === 401) reply.header('WWW-Authenticate', 'Bearer');
  return reply.code(status).send({ detail });
}
