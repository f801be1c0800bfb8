import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify';
import type { Logger } from './logging.ts';
import { OPERATIONAL_ROUTES, routeOf } from './metrics.ts';

const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** The caller's X-Request-ID where it is harmless to log, else a new one. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** A path that cannot be decoded names nothing: it takes the way of every unknown one, through all hooks, to 404. */
function rewriteUrl(request: IncomingMessage): string {
  const url = request.url ?? '/';
  const [path = ''] = url.split('?', 1);
  if (!path.includes('%')) return url;
  try {
    decodeURIComponent(path);
    return url;
  } catch {
    return UNDECODABLE;
  }
}

/** No route is called so. */
const UNDECODABLE = '/undecodable';

/** What both services ask of Fastify. */
export const serverOptions = (logger: Logger) =>
  ({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: requestId,
    requestIdHeader: false,
    // a request that arrives while the server closes is still answered
    return503OnClosing: false,
    rewriteUrl,
    // Node ends a request line sooner; a shorter limit would answer 414 past all hooks
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 16_384 },
  }) satisfies FastifyServerOptions;

/** Every response carries the request's id. */
export function echoRequestId(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('X-Request-ID', request.id);
    done();
  });
}

/** One line for each response. Query strings are left out: they may hold what nobody should log. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', (request, reply, done) => {
    const level = OPERATIONAL_ROUTES.includes(routeOf(request)) ? 'debug' : 'info';
    request.log[level](
      {
        path: request.url.split('?', 1)[0],
        method: request.method,
        status: reply.statusCode,
        duration_ms: Math.round(reply.elapsedTime * 10) / 10,
        client_ip: request.ip,
      },
      'request',
    );
    done();
  });
}
