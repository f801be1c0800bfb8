import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify';
import type { Logger } from './logging.ts';
import { OPERATIONAL_ROUTES, routeOf } from './metrics.ts';

const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** The caller's X-Request-ID where it is harmless to log, else a new one. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** What precedes the query, which may hold what nobody should keep. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

/** A path that cannot be decoded names nothing: it takes the way of every unknown one, through all hooks, to 404. */
function rewriteUrl(request: IncomingMessage): string {
  const url = request.url ?? '/';
  if (!url.includes('%')) return url;
  try {
    decodeURIComponent(pathOf(url));
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

/** One line for each response. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', (request, reply, done) => {
    const level = OPERATIONAL_ROUTES.includes(routeOf(request)) ? 'debug' : 'info';
    request.log[level](
      {
        path: pathOf(request.url),
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

const CLIENT_ERRORS: Readonly<Record<string, readonly [status: string, detail: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'Request Timeout'],
};

/** For Fastify's `clientErrorHandler`: what is no HTTP meets no hook, and is answered in our shape all the same. */
export function answerWithoutHooks(headers: Readonly<Record<string, string>> = {}) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return (error: Error & { code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const [status, detail] = CLIENT_ERRORS[error.code ?? ''] ?? ['400 Bad Request', 'Bad Request'];
    const body = JSON.stringify({ detail });
    socket.end(
      `HTTP/1.1 ${status}\r\n${lines.join('')}X-Request-ID: ${randomUUID()}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  };
}
