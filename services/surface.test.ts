// The routes that clients, scripts and panels of the two originals rely on: one that is gone fails here.
import { afterAll, describe, expect, test } from '@jest/globals';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { API_KEY, testApp as dashboardApp, SCRAPE_TOKEN } from './dashboard/testing.ts';
import { testApp as devshelfApp } from './devshelf/testing.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
type Row = readonly [Method, string];

const dashboard = dashboardApp().app;
const devshelf = devshelfApp().app;
afterAll(() => Promise.all([dashboard.close(), devshelf.close()]));

const id = '00000000-0000-4000-8000-000000000000';

/** Asked by nobody in particular; there is no database, so that some of what is open is a 500. */
const ask = (app: FastifyInstance, [method, path]: Row, more: InjectOptions = {}) =>
  app.inject({ method, url: path.replace(':id', id), ...more });

/** Every operation of the document, as `GET /path/:id`, with the schemes that open it. */
async function documented(app: FastifyInstance): Promise<ReadonlyMap<string, readonly string[]>> {
  type Operation = { security?: Record<string, unknown>[] };
  const { paths } = (await app.inject('/openapi.json')).json<{ paths: Record<string, Record<string, Operation>> }>();
  return new Map(
    Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, { security = [] }]) => [
        `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1').replace(/(.)\/$/, '$1')}`,
        security.flatMap(scheme => Object.keys(scheme)),
      ]),
    ),
  );
}

describe('DevShelf', () => {
  const open: readonly Row[] = [
    ['GET', '/'],
    ['GET', '/docs'],
    ['GET', '/openapi.json'],
    ['POST', '/api/v1/auth/register'],
    ['POST', '/api/v1/auth/token'],
    ['POST', '/api/v1/auth/refresh'],
    ['GET', '/api/v1/resources'],
    ['GET', '/api/v1/resources/:id'],
    ['GET', '/health'],
    ['GET', '/ready'],
  ];
  const bearer: readonly Row[] = [
    ['POST', '/api/v1/auth/logout'],
    ['POST', '/api/v1/resources'],
    ['PUT', '/api/v1/resources/:id'],
    ['DELETE', '/api/v1/resources/:id'],
  ];

  test.each(open)('%s %s asks for no token', async (method, path) => {
    expect(devshelf.hasRoute({ method, url: path })).toBe(true);
    const { statusCode } = await ask(devshelf, [method, path]);
    expect([401, 403, 404, 405]).not.toContain(statusCode);
  });

  test.each(bearer)('%s %s asks for a token, with and without a slash at the end', async (method, path) => {
    expect(devshelf.hasRoute({ method, url: path })).toBe(true);
    for (const url of [path, `${path}/`]) {
      const answer = await ask(devshelf, [method, url]);
      expect([answer.statusCode, answer.headers['www-authenticate'], answer.json()]).toEqual([
        401,
        'Bearer',
        { detail: 'Not authenticated' },
      ]);
    }
  });

  test('POST /api/v1/auth/revoke: a token of somebody else’s needs no Bearer, everything of mine does', async () => {
    const revoke = (payload: object) => ask(devshelf, ['POST', '/api/v1/auth/revoke'], { payload });
    expect((await revoke({ all: true })).statusCode).toBe(401);
    expect((await revoke({ token: 'unknown' })).statusCode).not.toBe(401);
  });

  test('GET /metrics asks for the scrape token', async () => {
    const authorization = `Bearer ${SCRAPE_TOKEN}`;
    expect((await ask(devshelf, ['GET', '/metrics'])).statusCode).toBe(401);
    expect((await ask(devshelf, ['GET', '/metrics'], { headers: { authorization } })).statusCode).toBe(200);
  });

  test('the slash at the end of the collection is optional to read, too', async () => {
    for (const path of ['/api/v1/resources', '/api/v1/resources/']) {
      expect((await ask(devshelf, ['GET', `${path}?skip=abc`])).statusCode).toBe(422);
    }
  });

  test('the document names each of them and what opens it', async () => {
    const operations = await documented(devshelf);
    const own = ['GET /docs', 'GET /openapi.json'];
    for (const [method, path] of open) {
      if (!own.includes(`${method} ${path}`)) expect(operations.get(`${method} ${path}`)).toEqual([]);
    }
    for (const [method, path] of bearer)
      expect(operations.get(`${method} ${path}`)).toEqual(['OAuth2PasswordBearer', 'bearer']);
    expect(operations.get('GET /metrics')).toEqual(['scrape']);
    expect(operations.has('POST /api/v1/auth/revoke')).toBe(true);
  });
});

describe('the dashboard', () => {
  const pages: readonly Row[] = [
    ['GET', '/'],
    ['GET', '/providers'],
    ['GET', '/analytics'],
  ];
  const keyed: readonly Row[] = [
    ['GET', '/api/summary'],
    ['GET', '/api/providers'],
    ['GET', '/api/stock-timeline'],
    ['GET', '/api/top-products'],
    ['GET', '/api/trends'],
    ['GET', '/api/stock-by-provider'],
    ['GET', '/api/weekly-sales'],
    ['GET', '/api/export/summary.csv'],
    ['GET', '/api/export/providers.csv'],
    ['GET', '/api/export/top-products.csv'],
    ['GET', '/metrics'],
  ];

  test.each([...pages, ['GET', '/health'] as const])('%s %s asks for no key', async (method, path) => {
    expect(dashboard.hasRoute({ method, url: path })).toBe(true);
    const answer = await ask(dashboard, [method, path]);
    expect([401, 403, 404, 405]).not.toContain(answer.statusCode);
    if (path !== '/health') expect(answer.headers['content-type']).toMatch(/^text\/html/);
  });

  test.each(keyed)('%s %s tells a missing key from a wrong one, and takes the right one', async (method, path) => {
    expect(dashboard.hasRoute({ method, url: path })).toBe(true);
    const withKey = (key: string) => ask(dashboard, [method, path], { headers: { 'x-api-key': key } });
    const missing = await ask(dashboard, [method, path]);
    expect([missing.statusCode, missing.json()]).toEqual([401, { detail: 'API key requerida' }]);
    const wrong = await withKey('wrong');
    expect([wrong.statusCode, wrong.json()]).toEqual([401, { detail: 'API key inválida' }]);
    expect([401, 403, 404, 405]).not.toContain((await withKey(API_KEY)).statusCode);
  });

  test('/metrics is open to the scrape token as well', async () => {
    const headers = { authorization: `Bearer ${SCRAPE_TOKEN}` };
    expect((await ask(dashboard, ['GET', '/metrics'], { headers })).statusCode).toBe(200);
  });

  test('the document names each of them and what opens it', async () => {
    const operations = await documented(dashboard);
    for (const [method, path] of keyed) expect(operations.get(`${method} ${path}`)).toContain('apiKey');
    expect(operations.get('GET /metrics')).toContain('scrape');
    expect(operations.get('GET /health')).toEqual([]);
  });
});
