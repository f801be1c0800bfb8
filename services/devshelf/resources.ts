import type { FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { HttpError } from '../common/http-errors.ts';
import type { Routes } from '../common/routes.ts';
import { queryInteger, text } from '../common/schemas.ts';
import type { PrismaClient, User } from './generated/client.ts';
import type { Limiter } from './limits.ts';
import type { JobQueue } from './queue.ts';
import type { ListOptions, Place, ResourcePage, ResourceQueries, ShownResource } from './resource-queries.ts';

export type ResourceOptions = {
  readonly prisma: PrismaClient;
  readonly queries: ResourceQueries;
  /** the user who sent the request, or HttpError 401 */
  readonly authenticate: (request: FastifyRequest) => Promise<Pick<User, 'id'>>;
  readonly jobs: JobQueue | undefined;
  readonly limit: Limiter;
};

const URL_MAX = 1_024;

/** Normalised as browsers do (`https://example.com` -> `https://example.com/`); nothing but http and https. */
const link = z
  .string()
  .transform((given, context) => {
    const url = /^https?:\/\/[^\s\0]+$/i.test(given) && given.isWellFormed() ? URL.parse(given) : null;
    if (url !== null && url.href.length <= URL_MAX) return url.href;
    context.addIssue(url === null ? 'must be an http or https URL' : `must have at most ${URL_MAX} characters`);
    return z.NEVER;
  })
  .meta({
    format: 'uri',
    maxLength: URL_MAX,
    pattern: '^[hH][tT][tT][pP][sS]?://[^\\s\\u0000]+$',
    description: `http or https; at most ${URL_MAX} characters once it is normalised`,
  });

const title = text({ min: 1, max: 255 });
const description = text({ max: 10_000 }).nullable();
const type = text({ min: 1, max: 50 });

const newResource = z.object({ title, description: description.default(null), url: link, type }).meta({
  id: 'ResourceCreate',
});

const changes = z
  .object({ title: title.optional(), description: description.optional(), url: link.optional(), type: type.optional() })
  .meta({ id: 'ResourceUpdate', description: 'What is left out stays as it is.' });

const shown = z
  .object({
    title: z.string(),
    description: z.string().nullable(),
    url: z.string(),
    type: z.string(),
    id: z.string().meta({ format: 'uuid' }),
    created_at: z.string().meta({ format: 'date-time' }),
  })
  .meta({ id: 'ResourceRead' });

/** `microseconds.id` of the first resource of a page: what one page's `next` says to the following one. */
const CURSOR = /^([0-9]{1,15}|[1-8][0-9]{15})[.]([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

const cursor = z
  .string()
  .regex(CURSOR, 'must come from the Link of another page')
  .transform((given): Place => {
    const [, micros, id = ''] = CURSOR.exec(given) ?? [];
    return { micros: Number(micros), id };
  })
  .meta({ description: 'Where the page begins, from the Link of the page before it; `q` looks past it' });

const listQuery = z.object({
  skip: queryInteger({ min: 0, max: 2_147_483_647, default: 0 }).meta({ description: 'How many to leave out' }),
  limit: queryInteger({ min: 1, max: 100, default: 100 }).meta({ description: 'How many at most' }),
  type: text({ max: 50 }).optional().meta({ description: 'Only of this type' }),
  cursor: cursor.optional(),
  q: text({ max: 100 }).optional().meta({ description: 'Words, or their beginnings, of title and description' }),
});

const byId = z.object({ id: z.string() });

const LIST = '/api/v1/resources/';
const ONE = '/api/v1/resources/:id';
const NOT_FOUND = 'Resource not found';
const NOT_YOURS = 'Only its owner may change a resource';
const TOO_MANY = 'Too many requests from this address; Retry-After says when to try again';
const tags = ['resources'];

/** Create, list, read, change and delete. */
export function serveResources(routes: Routes, options: ResourceOptions): void {
  const { prisma, queries, jobs, limit, authenticate: guard } = options;
  const limitSearch = limit('search');

  routes.add({
    method: 'POST',
    path: LIST,
    tags,
    summary: 'Create a resource',
    guard,
    body: newResource,
    answer: { status: 201, schema: shown },
    refusals: { 429: TOO_MANY },
    options: { onRequest: limit('create') },
    handle: async ({ body, caller }) => {
      const made = await queries.create({ ...body, ownerId: caller.id });
      jobs?.add({ name: 'link.check', id: made.id });
      return made;
    },
  });

  routes.add({
    method: 'GET',
    path: LIST,
    tags,
    summary: 'List resources',
    description: 'Oldest first. With `q` at most the first 1,000 matches.',
    query: listQuery,
    answer: {
      status: 200,
      schema: z.array(shown),
      headers: {
        'X-Total-Count': 'How many there are in all pages',
        'X-Total-Count-Relation': '`gte` when a search has more matches than it looks at',
        Link: 'RFC 8288: first, prev, next and last page',
      },
    },
    refusals: { 429: `With q: ${TOO_MANY}` },
    options: { onRequest: async (request, reply) => (isSearch(request) ? limitSearch(request, reply) : undefined) },
    handle: async ({ query, reply }) => {
      const asked = { ...query, type: query.type === '' ? undefined : query.type };
      const page = await queries.list(asked);
      describePage(reply, asked, page);
      return [...page.resources];
    },
  });

  routes.add({
    method: 'GET',
    path: ONE,
    tags,
    summary: 'Read a resource',
    params: byId,
    answer: { status: 200, schema: shown },
    refusals: { 404: NOT_FOUND },
    handle: async ({ params }) => present(await queries.find(uuid(params.id))),
  });

  routes.add({
    method: 'PUT',
    path: ONE,
    tags,
    summary: 'Change parts of a resource',
    guard,
    params: byId,
    body: changes,
    answer: { status: 200, schema: shown },
    refusals: { 403: NOT_YOURS, 404: NOT_FOUND },
    handle: async ({ params, body, caller }) => {
      const id = uuid(params.id);
      await assertOwner(prisma, id, caller.id);
      await prisma.resource.updateMany({ where: { id, ownerId: caller.id }, data: given(body) });
      queries.forget();
      if (body.url !== undefined) jobs?.add({ name: 'link.check', id });
      return present(await queries.find(id));
    },
  });

  routes.add({
    method: 'DELETE',
    path: ONE,
    tags,
    summary: 'Delete a resource',
    guard,
    params: byId,
    answer: { status: 204, description: 'Deleted' },
    refusals: { 403: NOT_YOURS, 404: NOT_FOUND },
    handle: async ({ params, caller }) => {
      const id = uuid(params.id);
      await assertOwner(prisma, id, caller.id);
      await prisma.resource.deleteMany({ where: { id, ownerId: caller.id } });
      queries.forget();
    },
  });
}

/** An empty question asks for the list. */
const isSearch = ({ query }: FastifyRequest): boolean => Boolean((query as { readonly q?: unknown }).q);

function present(resource: ShownResource | undefined): ShownResource {
  if (resource === undefined) throw new HttpError(404, NOT_FOUND);
  return resource;
}

/** What is no id names no resource. */
function uuid(text: string): string {
  if (!z.guid().safeParse(text).success) throw new HttpError(404, NOT_FOUND);
  return text;
}

/**
 * A resource without an owner (imported, or its user is gone) belongs to nobody, so nobody may change it.
 * @throws HttpError 404, 403
 */
async function assertOwner(prisma: PrismaClient, id: string, callerId: string): Promise<void> {
  const resource = await prisma.resource.findUnique({ where: { id }, select: { ownerId: true } });
  if (resource === null) throw new HttpError(404, NOT_FOUND);
  if (resource.ownerId !== callerId) throw new HttpError(403, NOT_YOURS);
}

/** Without the fields that were left out. */
const given = <Body extends object>(body: Body) =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Body]: Exclude<Body[Name], undefined>;
  };

function describePage(reply: FastifyReply, asked: ListOptions, { total, capped, next }: ResourcePage): void {
  reply.header('X-Total-Count', total);
  if (capped) reply.header('X-Total-Count-Relation', 'gte');
  reply.header('Link', pageLinks(asked, total, next));
}

/** RFC 8288, relative to the host: behind a proxy only the client knows how it is called. */
export function pageLinks({ skip, limit, type, q }: ListOptions, total: number, next?: Place): string {
  const filters = { ...(type !== undefined && { type }), ...(q !== undefined && { q }) };
  const at = (rel: string, start: number, more = {}) =>
    `<${LIST}?${new URLSearchParams({ skip: String(start), limit: String(limit), ...filters, ...more })}>; rel="${rel}"`;
  const cursor = next && { cursor: `${next.micros}.${next.id}` };
  const last = total === 0 ? 0 : Math.floor((total - 1) / limit) * limit;
  return [
    at('first', 0),
    ...(skip > 0 ? [at('prev', Math.max(0, skip - limit))] : []),
    ...(next || skip + limit < total ? [at('next', skip + limit, cursor)] : []),
    at('last', last),
  ].join(', ');
}
