import formbody from '@fastify/formbody';
import { expect, test } from '@jest/globals';
import fastify from 'fastify';
import * as z from 'zod';
import { declareRoutes, type Routes } from './routes.ts';

class Refusal extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

const thing = z.object({ name: z.string().max(5) }).meta({ id: 'Thing' });

function serve(add: (routes: Routes) => void) {
  const app = fastify({ routerOptions: { ignoreTrailingSlash: true } });
  app.register(formbody);
  const routes = declareRoutes(app, {
    api: {
      title: 'Things',
      version: '1',
      tags: ['b', 'a'],
      security: { bearer: { type: 'http', scheme: 'bearer' } },
      refusal: z.object({ message: z.string() }).meta({ id: 'Refusal' }),
      invalid: z.object({ message: z.string() }).meta({ id: 'Invalid' }),
      busy: z.object({ message: z.string() }).meta({ id: 'Busy' }),
    },
    guardSchemes: ['bearer'],
    parse: (schema, place, value) => {
      const parsed = schema.safeParse(value);
      if (!parsed.success) throw new Refusal(422, place);
      return parsed.data;
    },
    refuse: (status, message) => new Refusal(status, message),
  });
  add(routes);
  routes.refuseOtherMethods();
  return { app, routes };
}

const served = () =>
  serve(routes => {
    routes.add({
      method: 'PUT',
      path: '/things/:id/',
      summary: 'Change a thing',
      guard: async request => {
        if (request.headers.authorization !== 'Bearer me') throw new Refusal(401, 'who?');
        return { me: true };
      },
      params: z.object({ id: z.string().min(2) }),
      query: z.object({ loud: z.enum(['yes']).optional() }),
      body: thing,
      answer: { status: 202, schema: thing, headers: { ETag: 'Its version' } },
      refusals: { 404: 'No such thing', 503: { description: 'Asleep', schema: z.object({ until: z.string() }) } },
      handle: ({ body, params, query, caller }) => ({ name: `${body.name}${params.id}${query.loud}${caller.me}` }),
    });
    routes.add({
      method: 'DELETE',
      path: '/things/:id',
      summary: 'x',
      answer: { status: 204 },
      handle: () => undefined,
    });
    routes.add({
      method: 'POST',
      path: '/forms',
      summary: 'x',
      body: thing,
      form: true,
      answer: { status: 200, schema: thing },
      handle: ({ body }) => body,
    });
  });

const me = { authorization: 'Bearer me' };
const put = (url: string, payload: object | string, headers: Record<string, string> = me) =>
  served().app.inject({ method: 'PUT', url, payload, headers });

test('input arrives parsed, with whom the guard let in; the answer has its status', async () => {
  const response = await put('/things/ab?loud=yes', { name: 'n' });
  expect([response.statusCode, response.json()]).toEqual([202, { name: 'nabyestrue' }]);
});

test('without an answer there is no body', async () => {
  const response = await served().app.inject({ method: 'DELETE', url: '/things/ab' });
  expect([response.statusCode, response.body]).toEqual([204, '']);
});

test.each([
  ['the guard comes first', '/things/a', {}, {}, 401, 'who?'],
  ['then the path', '/things/a', {}, me, 422, 'path'],
  ['then the query', '/things/ab?loud=no', {}, me, 422, 'query'],
  ['then the body', '/things/ab', {}, me, 422, 'body'],
  [
    'a form where none is taken',
    '/things/ab',
    'name=n',
    { ...me, 'content-type': 'application/x-www-form-urlencoded' },
    415,
    'Unsupported Media Type',
  ],
])('%s', async (_case, url, payload, headers: Record<string, string>, status, message) => {
  const response = await put(url, payload, headers);
  expect([response.statusCode, response.json().message]).toEqual([status, message]);
});

test('a form where one is taken', async () => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const response = await served().app.inject({ method: 'POST', url: '/forms', payload: 'name=n', headers });
  expect(response.json()).toEqual({ name: 'n' });
});

test.each(['/things/ab', '/things/ab/'])('another method of a known path: %s', async url => {
  const { app } = served();
  for (const method of ['GET', 'POST', 'PATCH', 'OPTIONS'] as const) {
    const response = await app.inject({ method, url, headers: { 'content-type': 'nonsense' }, payload: 'x' });
    expect([response.statusCode, response.headers.allow]).toEqual([405, 'DELETE, PUT']);
  }
});

test('the document says all of it', () => {
  const ref = (name: string) => ({ 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } });
  expect(served().routes.document()).toMatchObject({
    openapi: '3.1.0',
    info: { title: 'Things', version: '1' },
    tags: [{ name: 'b' }, { name: 'a' }],
    paths: {
      '/things/{id}/': {
        put: {
          summary: 'Change a thing',
          operationId: 'put_things_id',
          security: [{ bearer: [] }],
          parameters: [
            { name: 'id', in: 'path', required: true, schema: { type: 'string', minLength: 2 } },
            { name: 'loud', in: 'query', required: false, schema: { enum: ['yes'] } },
          ],
          requestBody: { required: true, content: ref('Thing') },
          responses: {
            202: { headers: { ETag: { description: 'Its version' } }, content: ref('Thing') },
            401: { content: ref('Refusal') },
            404: { description: 'No such thing', content: ref('Refusal') },
            413: { content: ref('Refusal') },
            415: { content: ref('Refusal') },
            422: { content: ref('Invalid') },
            503: { description: 'Asleep', content: { 'application/json': { schema: { type: 'object' } } } },
          },
        },
      },
      '/forms': {
        post: { requestBody: { content: { ...ref('Thing'), 'application/x-www-form-urlencoded': expect.anything() } } },
      },
    },
    components: { schemas: { Thing: { type: 'object', required: ['name'] }, Refusal: {}, Invalid: {} } },
  });
});
