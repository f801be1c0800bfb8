import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type AuthOptions, authenticate } from './auth.ts';
import { HttpError, parse } from './errors.ts';
import type { Resource } from './generated/client.ts';
import type { JobQueue } from './queue.ts';

export type ResourceOptions = AuthOptions & { readonly jobs: JobQueue | undefined };

/** Normalised as browsers do (`https://example.com` -> `https://example.com/`); nothing but http and https. */
const link = z
  .string()
  .transform((text, context) => {
    const url = URL.parse(text);
    if (url !== null && /^https?:$/.test(url.protocol)) return url.href;
    context.addIssue('must be an http or https URL');
    return z.NEVER;
  })
  .pipe(z.string().max(1_024));

const newResource = z.object({
  title: z.string().min(1).max(255),
  description: z.string().nullish(),
  url: link,
  type: z.string().min(1).max(50),
});

const page = z.object({
  skip: z.coerce.number().int().min(0).max(2_147_483_647).default(0),
  limit: z.coerce.number().int().min(1).max(100).default(100),
});

const PATH = '/api/v1/resources';

/** Create, list and read. The trailing slash is optional everywhere. */
export function serveResources(app: FastifyInstance, options: ResourceOptions): void {
  const { prisma, jobs } = options;

  app.post(PATH, async (request, reply) => {
    const owner = await authenticate(request, options);
    const { description = null, ...given } = parse(newResource, 'body', request.body);
    const resource = await prisma.resource.create({ data: { ...given, description, ownerId: owner.id } });
    jobs?.add({ type: 'resource.created', id: resource.id });
    return reply.code(201).send(shown(resource));
  });

  app.get(PATH, async request => {
    const { skip, limit } = parse(page, 'query', request.query);
    const resources = await prisma.resource.findMany({
      skip,
      take: limit,
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    });
    return resources.map(shown);
  });

  app.get<{ Params: { id: string } }>(`${PATH}/:id`, async request => {
    const id = z.guid().safeParse(request.params.id);
    const resource = id.success ? await prisma.resource.findUnique({ where: { id: id.data } }) : null;
    if (resource === null) throw new HttpError(404, 'Resource not found');
    return shown(resource);
  });
}

const shown = ({ id, title, description, url, type, createdAt }: Resource) => ({
  title,
  description,
  url,
  type,
  id,
  created_at: createdAt.toISOString(),
});
