import formbody from '@fastify/formbody';
import type { FastifyInstance } from 'fastify';

/**
 * JSON and forms, nothing else (415). A JSON type with nothing behind it is no body at all: many clients send the header
 * with every request, DELETE included. `__proto__` in a body is a name that no schema knows.
 */
export function readBodies(app: FastifyInstance): void {
  const json = app.getDefaultJsonParser('remove', 'remove');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else json(request, body as string, done);
  });
  app.register(formbody);
}
