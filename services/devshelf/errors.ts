import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type * as z from 'zod';
import { HttpError, parse as parseInWords, type Words, wordsOf } from '../common/http-errors.ts';
import type { Shedding } from '../common/overload.ts';
import { refusalOfUnknown } from '../common/requests.ts';
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
export function answerErrors(app: FastifyInstance, shedding?: Shedding): void {
  app.setNotFoundHandler(async (request, reply) => {
    const [status, detail] = refusalOfUnknown(request);
    return reply.code(status).send({ detail });
  });
  app.setErrorHandler(async (error: Error & { code?: string; statusCode?: number }, request, reply) => {
    if (error instanceof HttpError) return answer(reply, error.statusCode, error.detail);
    if (error.code === 'FST_ERR_CTP_INVALID_JSON_BODY') {
      return answer(reply, 422, [{ loc: ['body'], msg: 'JSON decode error', type: 'json_invalid' }]);
    }
    if (error.statusCode !== undefined && error.statusCode < 500) return answer(reply, error.statusCode, error.message);
    const excuse = shedding?.excuse(error, request, reply);
    if (excuse !== undefined) return excuse;
    request.log.error({ err: error }, 'unexpected error');
    return answer(reply, 500, 'Internal Server Error');
  });
}

/** Too much to do; the status says it already. */
export const answerBusy = (_request: FastifyRequest, reply: FastifyReply): FastifyReply =>
  reply.send({ detail: 'Service Unavailable' });

function answer(reply: FastifyReply, status: number, detail: unknown): FastifyReply {
  if (status === 401) reply.header('WWW-Authenticate', 'Bearer');
  return reply.code(status).send({ detail });
}
