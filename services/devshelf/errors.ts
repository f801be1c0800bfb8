import type { FastifyInstance, FastifyReply } from 'fastify';
import type * as z from 'zod';
import { HttpError, parse as parseInWords, type Words, wordsOf } from '../common/http-errors.ts';
import type { RoutesOptions } from '../common/routes.ts';

/** @throws HttpError 422, one entry for each fault */
export const parse: RoutesOptions['parse'] = (schema, place, value) => parseInWords(schema, place, value, fault);

/** FastAPI's words for the two faults that clients look for; else zod's. */
function fault(issue: z.core.$ZodIssue): Words {
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined'))
    return { msg: 'Field required', type: 'missing' };
  return wordsOf(issue);
}

/** Whatever is thrown becomes an answer; what nobody expected is a 500 that tells its cause to the log only. */
export function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ detail: 'Not Found' }));
  app.setErrorHandler(async (error: Error & { code?: string; statusCode?: number }, request, reply) => {
    if (error instanceof HttpError) return answer(reply, error.statusCode, error.detail);
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
