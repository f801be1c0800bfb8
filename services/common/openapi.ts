import * as z from 'zod';
import { OPERATIONAL_ROUTES } from './metrics.ts';

/** What a route promises; the document says it, and `routes.ts` holds the route to it. */
export type Answer<Schema extends z.ZodType = z.ZodType> = {
  readonly status: number;
  readonly description?: string;
  /** of the JSON that is sent; without it there is no body, or one of `mediaType` */
  readonly schema?: Schema;
  readonly mediaType?: string;
  /** name -> what it says */
  readonly headers?: Readonly<Record<string, string>>;
};

export type Described = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** in Fastify's notation, `/things/:id` */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  /** schemes of `ApiDescription.security`, any of which will do */
  readonly security?: string | readonly string[] | undefined;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** the body may also come as a form */
  readonly form?: boolean;
  readonly answer: Answer;
  /** every other status, and when it is given; a string means the usual shape of a refusal */
  readonly refusals?: Readonly<Record<number, string | Omit<Answer, 'status'>>>;
};

export type ApiDescription = {
  readonly title: string;
  readonly version: string;
  readonly description?: string;
  /** in the order in which a reader wants them */
  readonly tags?: readonly string[];
  /** security schemes by name, as OpenAPI writes them */
  readonly security: Readonly<Record<string, object>>;
  /** the shape of refusals, and of 422 */
  readonly refusal: z.ZodType;
  readonly invalid: z.ZodType;
  /** of 503, when there is too much to do */
  readonly busy: z.ZodType;
};

type Json = Record<string, unknown>;

/** OpenAPI 3.1, whose schemas are JSON Schema 2020-12, from the very schemas that guard the routes. */
export function openApiDocument(api: ApiDescription, routes: readonly Described[]): Json {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operation(api, route, schemas);
  }
  const { title, version, description } = api;
  return {
    openapi: '3.1.0',
    info: { title, version, ...(description && { description }) },
    ...(api.tags && { tags: api.tags.map(name => ({ name })) }),
    paths,
    components: { schemas: sorted(schemas), securitySchemes: api.security },
  };
}

function operation(api: ApiDescription, route: Described, schemas: Json): Json {
  const parameters = [...parametersOf('path', route.params, schemas), ...parametersOf('query', route.query, schemas)];
  return {
    ...(route.tags && { tags: route.tags }),
    summary: route.summary,
    ...(route.description && { description: route.description }),
    operationId: operationId(route),
    ...(route.security && { security: [route.security].flat().map(scheme => ({ [scheme]: [] })) }),
    ...(parameters.length > 0 && { parameters }),
    ...(route.body && { requestBody: requestBody(route.body, route.form, schemas) }),
    responses: Object.fromEntries(
      answersOf(api, route).map(answer => [String(answer.status), responseOf(answer, schemas)]),
    ),
  };
}

/** `GET /api/v1/resources/:id` -> `get_api_v1_resources_id`. */
const operationId = ({ method, path }: Described) =>
  `${method.toLowerCase()}_${path.replace(/\W+/g, '_').replace(/^_|_$/g, '') || 'root'}`;

function answersOf(api: ApiDescription, route: Described): readonly Answer[] {
  const refusal = (status: number, given: string | Omit<Answer, 'status'>): Answer =>
    typeof given === 'string' ? { status, description: given, schema: api.refusal } : { status, ...given };
  const given = Object.entries(route.refusals ?? {}).map(([status, what]) => refusal(Number(status), what));
  return [route.answer, ...given, ...usualRefusals(api, route)]
    .filter(({ status }, index, all) => all.findIndex(other => other.status === status) === index)
    .sort((left, right) => left.status - right.status);
}

/** What the layer refuses by itself. */
function usualRefusals({ refusal, invalid, busy }: ApiDescription, route: Described): readonly Answer[] {
  const takesBody = route.method !== 'GET';
  const takesInput = takesBody || route.query !== undefined;
  return [
    ...(route.security ? [{ status: 401, description: 'Not authenticated', schema: refusal, headers: CHALLENGE }] : []),
    ...(takesBody ? [{ status: 413, description: 'The body is too large', schema: refusal }] : []),
    ...(takesBody ? [{ status: 415, description: 'The body is of a type not served here', schema: refusal }] : []),
    ...(takesInput ? [{ status: 422, description: 'Validation error', schema: invalid }] : []),
    ...(isOperational(route) ? [] : [{ status: 503, description: 'Too much to do', schema: busy, headers: RETRY }]),
  ];
}

const isOperational = ({ path }: Described) => OPERATIONAL_ROUTES.includes(path);

const RETRY = { 'Retry-After': 'Seconds until it is worth another try' };

const CHALLENGE = { 'WWW-Authenticate': 'How to authenticate' };

function responseOf({ status, description, schema, mediaType, headers }: Answer, schemas: Json): Json {
  const type = mediaType ?? (schema ? 'application/json' : undefined);
  return {
    description: description ?? (status === 201 ? 'Created' : 'Successful response'),
    ...(headers && { headers: headersOf(headers) }),
    ...(type && {
      content: { [type]: { schema: schema ? jsonSchema(schema, 'output', schemas) : { type: 'string' } } },
    }),
  };
}

const headersOf = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
  );

function requestBody(body: z.ZodType, form: boolean | undefined, schemas: Json): Json {
  const schema = jsonSchema(body, 'input', schemas);
  const content = { 'application/json': { schema }, ...(form && { 'application/x-www-form-urlencoded': { schema } }) };
  return { required: true, content };
}

function parametersOf(place: 'path' | 'query', schema: z.ZodType | undefined, schemas: Json): readonly Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input', schemas) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(description !== undefined && { description }),
    schema: rest,
  }));
}

/** A schema with an id (`.meta({ id })`) is named under `components`, and referred to. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const whole: Json = z.toJSONSchema(z.object({ it: schema }), { io, unrepresentable: 'any' });
  const { properties, $defs = {} } = whole as { properties: { it: Json }; $defs?: Record<string, Json> };
  for (const [name, { id: _id, ...definition }] of Object.entries($defs)) schemas[name] = referring(definition);
  return referring(properties.it);
}

const referring = (schema: Json): Json =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'));

const sorted = (schemas: Json): Json =>
  Object.fromEntries(Object.entries(schemas).sort(([left], [right]) => left.localeCompare(right)));
