import { afterAll, expect, test } from '@jest/globals';
import { documentOf } from '../common/testing/documented.ts';
import { testApp } from './testing.ts';

const { app } = testApp();
afterAll(() => app.close());

const ROUTES = [
  'GET /',
  'GET /health',
  'GET /live',
  'GET /ready',
  'GET /metrics',
  'POST /api/v1/auth/register',
  'POST /api/v1/auth/token',
  'POST /api/v1/auth/password',
  'POST /api/v1/auth/refresh',
  'POST /api/v1/auth/logout',
  'POST /api/v1/auth/revoke',
  'POST /api/v1/resources/',
  'GET /api/v1/auth/sessions',
  'GET /recent-requests',
  'GET /api/v1/resources/',
  'GET /api/v1/resources/{id}',
  'PUT /api/v1/resources/{id}',
  'DELETE /api/v1/auth/sessions/{id}',
  'DELETE /api/v1/resources/{id}',
];

test('the document names every route there is, and each of them is served', async () => {
  const { paths } = await documentOf(app);
  const named = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map(method => `${method.toUpperCase()} ${path}`),
  );
  expect(named.sort()).toEqual([...ROUTES].sort());
  for (const route of named) {
    const [method = '', path = ''] = route.split(' ');
    expect(app.hasRoute({ method, url: path.replace('{id}', ':id').replace(/(.)\/$/, '$1') })).toBe(true);
  }
});

test.each(ROUTES.filter(route => route !== 'GET /'))('%s is the same with and without trailing slash', async route => {
  const [method = '', path = ''] = route.split(' ');
  const url = path.replace('{id}', 'x').replace(/\/$/, '');
  const ask = async (given: string) => {
    const response = await app.inject({ method: method as 'GET', url: given });
    return [response.statusCode, response.body.slice(0, 30)];
  };
  const [status] = await ask(url);
  expect(status).not.toBe(405);
  expect(await ask(`${url}/`)).toEqual(await ask(url));
});

test('it is OpenAPI 3.1 whose references all lead somewhere', async () => {
  const response = await app.inject('/openapi.json');
  expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
  const document = response.json();
  expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'DevShelf API' } });
  const references = [...response.body.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
  expect(references.length).toBeGreaterThan(20);
  for (const name of references) expect(document.components.schemas).toHaveProperty([String(name)]);
  expect(response.body).not.toContain('$defs');
});

test('the schemas that clients knew keep their names and fields', async () => {
  const { schemas } = (await documentOf(app)).components;
  expect(schemas['ResourceCreate']).toMatchObject({ required: ['title', 'url', 'type'] });
  expect(Object.keys(schemas['ResourceRead']?.['properties'] ?? {})).toEqual([
    'title',
    'description',
    'url',
    'type',
    'id',
    'created_at',
  ]);
  expect(schemas['ResourceUpdate']).not.toHaveProperty('required');
});
