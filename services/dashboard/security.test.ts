import { afterEach, expect, test } from '@jest/globals';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { API_KEY, SCRAPE_TOKEN, testApp } from './testing.ts';

let app: FastifyInstance | undefined;
afterEach(async () => app?.close());

function serving(
  environment: Record<string, string> = {},
  change: Omit<Parameters<typeof testApp>[0], 'environment'> = {},
) {
  const built = testApp({ environment, ...change }).app;
  app = built;
  return (url: string, options: InjectOptions = {}) => built.inject({ url, ...options });
}

const withKey = { 'x-api-key': API_KEY };
const UI_KEY = 'ui-key-1';

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'permissions-policy': 'geolocation=(), microphone=(), camera=()',
  'content-security-policy': expect.stringMatching(/^default-src 'self'; (?!.*(https?:|unsafe))/),
  'x-request-id': expect.stringMatching(/^[\w.:-]{1,128}$/),
};

/** As a router asks that was asked over plain HTTP. */
const THROUGH = { remoteAddress: '10.1.2.3', headers: { 'x-forwarded-proto': 'http' } };
const FORCED = { DASHBOARD_FORCE_HTTPS: 'true', TRUST_PROXY: '10.0.0.0/8' };

test.each([
  [400, 'a foreign Host', {}, '/api/summary', { headers: { host: 'evil.example' } }],
  [401, 'no key', {}, '/api/summary', {}],
  [404, 'nothing there', {}, '/nowhere', {}],
  [404, 'a path that cannot be decoded', {}, '/%zz', {}],
  [405, 'another method', {}, '/api/summary', { method: 'POST' as const }],
  [422, 'no integer', {}, '/api/stock-timeline?days=x', { headers: withKey }],
  [500, 'no database', {}, '/api/summary', { headers: withKey }],
  [200, 'an export without database', {}, '/api/export/summary.csv', { headers: withKey }],
  [307, 'plain HTTP', FORCED, '/providers', THROUGH],
  [403, 'plain HTTP with a key', FORCED, '/api/summary', { ...THROUGH, headers: { ...THROUGH.headers, ...withKey } }],
  [503, 'not ready', {}, '/ready', {}],
  [200, 'a sign of life', {}, '/live', {}],
])('%i for %s carries every header', async (status, _case, environment, url, options) => {
  const ask = serving({ DASHBOARD_ALLOWED_HOSTS: 'localhost', DASHBOARD_ENABLE_HSTS: 'true', ...environment });
  const response = await ask(url, options);
  expect(response.statusCode).toBe(status);
  expect(response.headers).toMatchObject({
    ...HEADERS,
    'strict-transport-security': 'max-age=63072000; includeSubDomains; preload',
  });
});

test('HSTS is said only when it is switched on', async () => {
  expect((await serving()('/live')).headers).not.toHaveProperty('strict-transport-security');
});

test.each([
  ['abc-1.2:3_4', true],
  ['a'.repeat(128), true],
  ['a'.repeat(129), false],
  ['two words', false],
  ['line\u0000', false],
  ['', false],
])('the request id %j comes back: %s', async (id, echoed) => {
  const response = await serving()('/live', { headers: { 'x-request-id': id } });
  expect(response.headers['x-request-id'] === id).toBe(echoed);
  expect(response.headers['x-request-id']).toMatch(/^[\w.:-]{1,128}$/);
});

test.each([
  ['shop.example', 200],
  ['SHOP.example:8080', 200],
  ['a.b.example.org', 200],
  ['example.org', 400],
  ['evil-shop.example', 400],
  ['shop.example.evil', 400],
  ['', 400],
])('with hosts restricted, Host %j is answered %i', async (host, status) => {
  const ask = serving({ DASHBOARD_ALLOWED_HOSTS: 'shop.example, *.example.org' });
  const response = await ask('/openapi.json', { headers: { host } });
  expect(response.statusCode).toBe(status);
  if (status === 200) return;
  expect(response.headers['content-type']).toMatch(/^text\/plain/);
  expect(response.body).toBe('Invalid host header');
});

test.each(['/live', '/health', '/ready', '/metrics'])(
  '%s answers by address, over plain HTTP and without limit',
  async url => {
    const ask = serving({
      DASHBOARD_ALLOWED_HOSTS: 'shop.example',
      ...FORCED,
      DASHBOARD_RATELIMIT_MAX: '1',
    });
    const headers = { host: '10.0.0.7:8080', authorization: `Bearer ${SCRAPE_TOKEN}` };
    for (let turn = 0; turn < 3; turn += 1) expect([200, 503]).toContain((await ask(url, { headers })).statusCode);
    expect((await ask(url, { headers })).headers).not.toHaveProperty('ratelimit');
  },
);

test('plain HTTP is sent to HTTPS, path and query kept', async () => {
  const headers = { ...THROUGH.headers, host: 'shop.example' };
  const response = await serving(FORCED)('/analytics?proveedor=a%20b', { ...THROUGH, headers });
  expect(response.statusCode).toBe(307);
  expect(response.headers.location).toBe('https://shop.example/analytics?proveedor=a%20b');
});

test('a program that comes by plain HTTP is refused, not sent on: its key has gone in clear', async () => {
  const response = await serving(FORCED)('/api/summary', {
    ...THROUGH,
    headers: { ...THROUGH.headers, ...withKey },
  });
  expect([response.statusCode, response.json()]).toEqual([403, { detail: 'Se requiere HTTPS' }]);
});

test.each([
  ['/api/summary', 401],
  ['/api/nowhere', 404],
  ['/api/export/summary.csv', 401],
  ['/metrics', 401],
])('%s is for its caller alone: no cache keeps the answer', async (url, withoutKey) => {
  const ask = serving();
  for (const headers of [{}, withKey]) {
    const response = await ask(url, { headers });
    if (headers !== withKey) expect(response.statusCode).toBe(withoutKey);
    expect(response.headers['cache-control']).toBe('no-store');
  }
});

test.each([
  ['a trusted proxy was asked by https', '10.1.2.3', { 'x-forwarded-proto': 'https' }, 200],
  ['a trusted proxy was asked by http', '10.1.2.3', { 'x-forwarded-proto': 'http' }, 307],
  ['the same, its address as an IPv6 socket has it', '::ffff:10.1.2.3', { 'x-forwarded-proto': 'http' }, 307],
  ['a trusted proxy does not say how it was asked: no loop', '10.1.2.3', {}, 200],
  ['a caller inside the cluster', '192.0.2.1', {}, 200],
  ['anybody says that it came by http', '192.0.2.1', { 'x-forwarded-proto': 'http' }, 200],
  [
    'the operator tries the release',
    '10.1.2.3',
    { 'x-forwarded-proto': 'http', authorization: `Bearer ${SCRAPE_TOKEN}` },
    200,
  ],
  ['with a wrong token', '10.1.2.3', { 'x-forwarded-proto': 'http', authorization: 'Bearer wrong' }, 307],
])(
  'HTTPS is asked of what came through a trusted proxy in clear: %s',
  async (_case, remoteAddress, headers, status) => {
    const ask = serving(FORCED);
    expect((await ask('/openapi.json', { remoteAddress, headers })).statusCode).toBe(status);
  },
);

test.each([
  ['Authorization', { authorization: `Bearer ${SCRAPE_TOKEN}` }, 200],
  ['X-Scrape-Token', { 'x-scrape-token': SCRAPE_TOKEN }, 200],
  ['a wrong one', { authorization: 'Bearer wrong' }, 400],
])('with hosts restricted, the operator asks by address, token as %s', async (_case, headers, status) => {
  const ask = serving({ DASHBOARD_ALLOWED_HOSTS: 'shop.example' });
  const response = await ask('/openapi.json', { headers: { host: '10.0.0.7:8080', ...headers } });
  expect(response.statusCode).toBe(status);
});

test('the limit counts per client and route, and says when to come back', async () => {
  const ask = serving({ DASHBOARD_RATELIMIT_MAX: '2', DASHBOARD_RATELIMIT_WINDOW: '60' });
  const from = (remoteAddress: string, url = '/openapi.json') => ask(url, { remoteAddress });
  expect((await from('192.0.2.1')).headers['ratelimit']).toBe('"default";r=1;t=60');
  expect((await from('192.0.2.1')).statusCode).toBe(200);
  const limited = await from('192.0.2.1', '/openapi.json?another=query');
  expect([limited.statusCode, limited.json()]).toEqual([429, { error: 'Rate limit excedido' }]);
  expect(Number(limited.headers['retry-after'])).toBeGreaterThan(50);
  expect(limited.headers).toMatchObject({
    ...HEADERS,
    'ratelimit-policy': '"default";q=2;w=60',
    ratelimit: expect.stringMatching(/^"default";r=0;t=\d+$/),
  });
  expect((await from('192.0.2.2')).statusCode).toBe(200);
  expect((await from('192.0.2.1', '/api/summary')).statusCode).toBe(401);
});

test('a person who comes too often reads a page that says until when', async () => {
  const ask = serving({ DASHBOARD_RATELIMIT_MAX: '1' });
  for (const url of ['/', '/nowhere']) {
    await ask(url);
    const response = await ask(url, { headers: { accept: 'text/html,*/*' } });
    expect(response.statusCode).toBe(429);
    expect(response.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    expect(response.body).toContain(`En ${response.headers['retry-after']} segundos`);
  }
});

test('paths that no route serves share one count', async () => {
  const ask = serving({ DASHBOARD_RATELIMIT_MAX: '2' });
  const statuses = [];
  for (const url of ['/a', '/b', '/c']) statuses.push((await ask(url)).statusCode);
  expect(statuses).toEqual([404, 404, 429]);
});

test('the pages’ own files are not limited', async () => {
  const ask = serving({ DASHBOARD_RATELIMIT_MAX: '1' });
  for (let turn = 0; turn < 3; turn += 1) expect((await ask('/static/nothing.css')).statusCode).toBe(404);
});

test('the limit can be switched off', async () => {
  const ask = serving({ DASHBOARD_RATELIMIT_MAX: '1', DASHBOARD_RATELIMIT_ENABLED: 'false' });
  for (let turn = 0; turn < 3; turn += 1) expect((await ask('/openapi.json')).statusCode).toBe(200);
});

test('behind a proxy, each client has a limit of its own', async () => {
  const ask = serving({ DASHBOARD_RATELIMIT_MAX: '1', TRUST_PROXY: '10.0.0.0/8' });
  const from = (client: string) =>
    ask('/openapi.json', { remoteAddress: '10.0.0.1', headers: { 'x-forwarded-for': client } });
  expect((await from('192.0.2.1')).statusCode).toBe(200);
  expect((await from('192.0.2.2')).statusCode).toBe(200);
  expect((await from('192.0.2.1')).statusCode).toBe(429);
});

const SHOP = 'https://shop.example';

test('an origin that is allowed may read, without credentials', async () => {
  const ask = serving({ DASHBOARD_CORS_ORIGINS: SHOP, DASHBOARD_RATELIMIT_MAX: '1' });
  const headers = { origin: SHOP };
  for (const status of [401, 429]) {
    const response = await ask('/api/summary', { headers });
    expect(response.statusCode).toBe(status);
    expect(response.headers['access-control-allow-origin']).toBe(SHOP);
    expect(response.headers).not.toHaveProperty('access-control-allow-credentials');
    expect(response.headers['vary']).toMatch(/Origin/i);
  }
  const preflight = await ask('/api/summary', {
    method: 'OPTIONS',
    headers: { ...headers, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-api-key' },
  });
  expect(preflight.statusCode).toBe(204);
  expect(preflight.headers).toMatchObject({
    ...HEADERS,
    'access-control-allow-methods': 'GET',
    'access-control-allow-headers': expect.stringContaining('X-API-Key'),
  });
});

test.each([
  ['another origin', { DASHBOARD_CORS_ORIGINS: SHOP }, 'https://evil.example'],
  ['anyone by default', {}, SHOP],
])('%s may not', async (_who, environment, origin) => {
  const response = await serving(environment)('/api/summary', { headers: { origin } });
  expect(response.headers).not.toHaveProperty('access-control-allow-origin');
});

test('the key of the user interface reads the API, and never the metrics', async () => {
  const ask = serving({ DASHBOARD_UI_API_KEY: UI_KEY });
  const headers = { 'x-api-key': UI_KEY };
  expect((await ask('/api/summary', { headers })).statusCode).toBe(500); // let in; there is no database here
  expect((await ask('/api/summary', { headers: { 'x-api-key': 'ui-key-2' } })).json()).toEqual({
    detail: 'API key inválida',
  });
  expect((await ask('/metrics', { headers })).statusCode).toBe(401);
  expect((await ask('/api/summary', { method: 'POST', headers })).statusCode).toBe(405);
  expect((await ask('/')).body).not.toContain(UI_KEY);
});

test('the API answers other methods 405 and says which it knows', async () => {
  const ask = serving();
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
    const response = await ask('/api/providers', { method, headers: withKey });
    expect([response.statusCode, response.json()]).toEqual([405, { detail: 'Method Not Allowed' }]);
    expect(response.headers['allow']).toBe('GET, HEAD');
  }
});

test('keys are never logged, wherever they are put', async () => {
  const lines: string[] = [];
  const ask = serving({ DASHBOARD_UI_API_KEY: UI_KEY }, { log: (line: string) => lines.push(line) });
  await ask(`/api/summary?x-api-key=${API_KEY}&key=${UI_KEY}`, { headers: withKey });
  await ask(`/api/nowhere?token=${SCRAPE_TOKEN}`, { headers: { authorization: `Bearer ${SCRAPE_TOKEN}` } });
  await ask(`/api/stock-timeline?days=${API_KEY}`, { headers: withKey });
  await ask('/metrics', { headers: { 'x-api-key': `${API_KEY}x`, 'x-request-id': 'r' } });
  expect(lines.length).toBeGreaterThan(4);
  for (const key of [API_KEY, UI_KEY, SCRAPE_TOKEN]) expect(lines.join('')).not.toContain(key);
});
