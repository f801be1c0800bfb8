import { afterEach, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { API_KEY, SCRAPE_TOKEN, testApp } from './testing.ts';

let app: FastifyInstance | undefined;

function build(...args: Parameters<typeof testApp>) {
  const built = testApp(...args);
  app = built.app;
  return built;
}
afterEach(async () => app?.close());

const withKey = { 'x-api-key': API_KEY };
const withToken = { authorization: `Bearer ${SCRAPE_TOKEN}` };

test.each([
  ['no key', {}, 'API key requerida'],
  ['an empty key', { 'x-api-key': '' }, 'API key requerida'],
  ['a wrong key', { 'x-api-key': 'dsk_a1_apx' }, 'API key inválida'],
  ['the scrape token instead', { 'x-api-key': SCRAPE_TOKEN }, 'API key inválida'],
])('the API refuses %s', async (_case, headers, detail) => {
  const { app } = build();
  for (const url of ['/api/summary', '/api/providers', '/api/providers/']) {
    const response = await app.inject({ url, headers });
    expect([response.statusCode, response.json()]).toEqual([401, { detail }]);
  }
});

test.each([
  ['the scrape token', withToken, 200],
  ['the API key, as today', withKey, 200],
  ['the API key as a bearer token', { authorization: `Bearer ${API_KEY}` }, 401],
  ['nothing', {}, 401],
])('the metrics with %s', async (_case, headers, status) => {
  const { app } = build();
  expect((await app.inject({ url: '/metrics', headers })).statusCode).toBe(status);
});

test.each([
  ['development', 200],
  ['production', 401],
])('without any key configured the metrics in %s answer %i', async (NODE_ENV, status) => {
  const environment = { NODE_ENV, DASHBOARD_API_KEY: 'only so that production starts' };
  const { app } = build({ environment, apiKeys: undefined, scrapeKeys: undefined });
  expect((await app.inject('/metrics')).statusCode).toBe(status);
});

test.each([
  ['/live', 200],
  ['/openapi.json', 200],
  ['/api/summary', 401],
  ['/nowhere', 404],
  ['/', 500], // there is no database here
  ['/ready', 503],
])('security headers on every response: %s is %i', async (url, status) => {
  const { app } = build();
  const response = await app.inject(url);
  expect(response.statusCode).toBe(status);
  expect(response.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'permissions-policy': 'geolocation=(), microphone=(), camera=()',
    'content-security-policy': expect.stringMatching(/^default-src 'self'; /),
    'x-request-id': expect.stringMatching(/^[\w.:-]{1,128}$/),
  });
});

test('what a hook throws is a 500 without its cause, counted with and without labels', async () => {
  const { app } = build();
  let turn = 0;
  app.addHook('preHandler', async request => {
    turn += 1;
    if (request.url === '/live' && turn % 2 === 1) throw new Error('a secret cause');
  });
  const responses = [await app.inject('/live'), await app.inject('/live')];
  expect(responses.map(({ statusCode }) => statusCode)).toEqual([500, 200]);
  expect(responses[0]?.json()).toEqual({ error: 'Error interno' });
  const metrics = (await app.inject({ url: '/metrics', headers: withToken })).body;
  expect(metrics).toContain('http_requests_total{method="GET",route="/live",status="500"} 1');
  expect(metrics).toMatch(/^dashboard_requests_total 2$/m);
  expect(metrics).toMatch(/^dashboard_errors_total 1$/m);
  expect(metrics).toMatch(/^dashboard_errors_by_path_total{path="\/live"} 1$/m);
});

test('the names of today’s metrics are there before the first request', async () => {
  const { app } = build();
  const lines = (await app.inject({ url: '/metrics', headers: withToken })).body.split('\n');
  const typeOf = (name: string) => lines.find(line => line.startsWith(`# TYPE ${name} `))?.split(' ')[3];
  expect(typeOf('dashboard_requests_total')).toBe('counter');
  expect(typeOf('dashboard_errors_total')).toBe('counter');
  expect(typeOf('dashboard_uptime_seconds')).toBe('gauge');
  expect(typeOf('dashboard_request_duration_ms_p95')).toBe('gauge');
  expect(typeOf('dashboard_requests_by_path_total')).toBe('counter');
  expect(typeOf('dashboard_errors_by_path_total')).toBe('counter');
  expect(typeOf('dashboard_request_duration_ms_sum')).toBe('counter');
  expect(lines).toEqual(expect.arrayContaining(['dashboard_requests_total 0', 'dashboard_errors_total 0']));
});

test('one log line for each request, with today’s fields and without keys or query strings', async () => {
  const lines: string[] = [];
  const { app } = build({ log: line => lines.push(line) });
  await app.inject({ url: '/api/providers?secret=1', headers: { 'x-api-key': 'dsk_a1_wrong', 'x-request-id': 'r-1' } });
  const entries = lines.map(line => JSON.parse(line)).filter(({ msg }) => msg === 'request');
  expect(entries).toEqual([
    {
      ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      level: 'INFO',
      logger: 'dashboard',
      msg: 'request',
      request_id: 'r-1',
      path: '/api/providers',
      method: 'GET',
      status: 401,
      duration_ms: expect.any(Number),
      client_ip: '127.0.0.1',
    },
  ]);
  expect(lines.join()).not.toMatch(/dsk_|secret/);
});

test.each([
  [
    'a browser',
    '/nowhere',
    'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
    'text/html; charset=utf-8',
    'Esta página no existe',
  ],
  ['a program', '/nowhere', '*/*', 'application/json; charset=utf-8', '{"detail":"Not Found"}'],
  ['a browser in the API', '/api/nowhere', 'text/html', 'application/json; charset=utf-8', '{"detail":"Not Found"}'],
])('what does not exist, asked for by %s', async (_case, url, accept, type, text) => {
  const { app } = build();
  const response = await app.inject({ url, headers: { accept } });
  expect([response.statusCode, response.headers['content-type']]).toEqual([404, type]);
  expect(response.body).toContain(text);
});

test('the classes of responses are born at 0, and probes are none of them', async () => {
  const { app } = build();
  const classes = async () => {
    const { body } = await app.inject({ url: '/metrics', headers: withToken });
    return Object.fromEntries(
      [...body.matchAll(/^http_responses_total\{class="(.*)"\} (\d+)$/gm)].map(([, ...pair]) => pair),
    );
  };
  expect(await classes()).toEqual({ '2xx': '0', '3xx': '0', '4xx': '0', '5xx': '0' });
  await app.inject('/ready');
  await app.inject('/openapi.json');
  await app.inject('/api/summary');
  await app.inject({ url: '/api/summary', headers: withKey });
  expect(await classes()).toEqual({ '2xx': '1', '3xx': '0', '4xx': '1', '5xx': '1' });
});
