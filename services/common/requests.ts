import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { type FastifyHttpOptions, type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import type { Logger } from './logging.ts';
import { OPERATIONAL_ROUTES, routeOf } from './metrics.ts';
import { isRehearsal } from './rehearsal.ts';
import type { Headers } from './security-headers.ts';

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

/**
 * A path that cannot be decoded names nothing: it takes the way of every unknown one, through all hooks, to 404. So does
 * a request without Host, which is 400 in the end. Of `GET http://name/path` only the path is looked at.
 */
function rewriteUrl(request: IncomingMessage): string {
  if (isHostless(request)) return NOWHERE;
  const url = originForm(request.url ?? '/');
  if (!url.includes('%')) return url;
  try {
    decodeURIComponent(pathOf(url));
    return url;
  } catch {
    return NOWHERE;
  }
}

/** No route is called so. */
const NOWHERE = '/undecodable';

function originForm(url: string): string {
  if (url.startsWith('/') || url === '*') return url;
  const parsed = URL.parse(url);
  return parsed === null ? NOWHERE : parsed.pathname + parsed.search;
}

/** RFC 9112, 3.2: HTTP/1.1 without Host is no request. Node would say so itself, past all hooks. */
const isHostless = ({ headers, httpVersion }: IncomingMessage) => headers.host === undefined && httpVersion === '1.1';

/** What a request that no route serves is told. */
export const refusalOfUnknown = (request: FastifyRequest): readonly [status: number, detail: string] =>
  isHostless(request.raw) ? [400, 'Bad Request'] : [404, 'Not Found'];

/** Milliseconds that a client may take for its headers, and for its whole request; looked at every two seconds. */
export type PatienceMs = { readonly headers: number; readonly request: number; readonly every: number };
const PATIENCE: PatienceMs = { headers: 10_000, request: 30_000, every: 2_000 };

/** What both services ask of Fastify. */
export const serverOptions = (logger: Logger, patience: PatienceMs = PATIENCE) =>
  ({
    http: {
      headersTimeout: patience.headers,
      requestTimeout: patience.request,
      connectionsCheckingInterval: patience.every,
      requireHostHeader: false,
    },
    requestTimeout: patience.request,
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: requestId,
    requestIdHeader: false,
    // a request that arrives while the server closes is still answered
    return503OnClosing: false,
    rewriteUrl,
    // Node ends a request line sooner; a shorter limit would answer 414 past all hooks
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 16_384 },
  }) satisfies FastifyHttpOptions<Server, Logger>;

const USER = Symbol('user');
type Named = FastifyRequest & { [USER]?: string };

/** Whose request it is, by id: the log says it. */
export function nameUser(request: Named, id: string): void {
  request[USER] = id;
}

/** One line for each response. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', (request: Named, reply, done) => {
    const level = OPERATIONAL_ROUTES.includes(routeOf(request)) || isRehearsal(request) ? 'debug' : 'info';
    request.log[level](
      {
        path: pathOf(request.url),
        method: request.method,
        status: reply.statusCode,
        duration_ms: Math.round(reply.elapsedTime * 10) / 10,
        client_ip: request.ip,
        // left out where nobody is known
        user_id: request[USER],
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

/** An `Expect` that is not `100-continue` would be Node's to answer, without a header of ours. */
export function answerExpectations(app: FastifyInstance, headers: Headers): void {
  app.server.on('checkExpectation', (request, response) => {
    const body = JSON.stringify({ detail: 'Expectation Failed' });
    response.writeHead(417, {
      ...headers,
      'X-Request-ID': requestId(request),
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    });
    response.end(body);
  });
}

/** For Fastify's `clientErrorHandler`: what is no HTTP meets no hook, and is answered in our shape all the same. */
export function answerWithoutHooks(headers: Headers) {
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
