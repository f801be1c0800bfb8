import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RouteOptions as FastifyRouteOptions,
  HTTPMethods,
} from 'fastify';
import type { z } from 'zod';
import { type Answer, type ApiDescription, type Described, openApiDocument } from './openapi.ts';

export type Place = 'body' | 'query' | 'path';

export type RoutesOptions = {
  readonly api: ApiDescription;
  /** the schemes of `api.security` that a route with a guard names: any of them will do */
  readonly guardSchemes: readonly string[];
  /** guards the edge; throws the service's own 422 */
  readonly parse: <Schema extends z.ZodType>(schema: Schema, place: Place, value: unknown) => z.output<Schema>;
  /** a refusal in the service's own shape, to be thrown */
  readonly refuse: (status: number, message: string) => Error;
};

type Input<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType, Caller> = {
  readonly params: z.output<Params>;
  readonly query: z.output<Query>;
  readonly body: z.output<Body>;
  /** whom the guard let in */
  readonly caller: Caller;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
};

export type Route<
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Caller,
  Result extends z.ZodType,
> = Omit<Described, 'params' | 'query' | 'body' | 'answer' | 'security'> & {
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** asked before anything is validated: who is not let in learns nothing about the rest */
  readonly guard?: (request: FastifyRequest) => Promise<Caller> | Caller;
  readonly answer: Answer<Result>;
  /** Fastify's own: hooks, config, bodyLimit */
  readonly options?: Omit<FastifyRouteOptions, 'method' | 'url' | 'handler' | 'schema'>;
  readonly handle: (input: Input<Params, Query, Body, Caller>) => Promise<z.input<Result>> | z.input<Result>;
};

export type Routes = {
  /** Serves a route and describes it: validation, types and the document come from the same schemas. */
  add<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType, Caller, Result extends z.ZodType>(
    route: Route<Params, Query, Body, Caller, Result>,
  ): void;
  /** Describes a route that is served otherwise. */
  describe(route: Described): void;
  /** Last of all: the other methods of each path are answered 405. */
  refuseOtherMethods(): void;
  /** The OpenAPI document of what was added so far. */
  document(): object;
};

/** To be called before any route is added, to `app` or here. */
export function declareRoutes(app: FastifyInstance, options: RoutesOptions): Routes {
  const described: Described[] = [];
  const methodsByPath = collectMethods(app);
  return {
    add: route => {
      described.push({ ...route, ...(route.guard && { security: options.guardSchemes }) });
      app.route({
        ...route.options,
        method: route.method,
        url: withoutSlash(route.path),
        handler: handlerOf(route, options),
      });
    },
    describe: route => {
      described.push(route);
    },
    refuseOtherMethods: () => {
      for (const [url, methods] of methodsByPath) refuseOthers(app, url, methods, options);
    },
    document: () => openApiDocument(options.api, described),
  };
}

/** The trailing slash is optional in requests; metrics know the path without. */
const withoutSlash = (path: string) => (path === '/' ? path : path.replace(/\/$/, ''));

function handlerOf<
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Caller,
  Result extends z.ZodType,
>(route: Route<Params, Query, Body, Caller, Result>, { parse, refuse }: RoutesOptions) {
  const { params, query, body, form = false, guard, handle } = route;
  const { status } = route.answer;
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const caller = guard && (await guard(request));
    if (body && !form && isForm(request)) throw refuse(415, 'Unsupported Media Type');
    const result = await handle({
      params: params && parse(params, 'path', request.params),
      query: query && parse(query, 'query', request.query),
      body: body && parse(body, 'body', request.body),
      caller,
      request,
      reply,
    } as Input<Params, Query, Body, Caller>);
    if (reply.sent) return reply;
    reply.code(status);
    return status === 204 ? null : result;
  };
}

const isForm = (request: FastifyRequest) =>
  request.headers['content-type']?.toLowerCase().startsWith('application/x-www-form-urlencoded') ?? false;

function collectMethods(app: FastifyInstance): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const path = withoutSlash(url);
    const methods = found.get(path) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    found.set(path, methods);
  });
  return found;
}

function refuseOthers(app: FastifyInstance, url: string, served: ReadonlySet<string>, options: RoutesOptions): void {
  const allow = [...served].sort().join(', ');
  const method = app.supportedMethods.filter(name => !served.has(name)) as HTTPMethods[];
  app.route({
    method,
    url,
    // before a body is read
    onRequest: async (_request, reply) => {
      reply.header('Allow', allow);
      throw options.refuse(405, 'Method Not Allowed');
    },
    handler: async () => undefined,
  });
}
