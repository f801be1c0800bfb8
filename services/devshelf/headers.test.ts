import { afterEach, expect, test } from '@jest/globals';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { testApp } from './testing.ts';

let app: FastifyInstance | undefined;
afterEach(async () => app?.close());

function serving(environment: Record<string, string> = {}) {
  app = testApp({ environment }).app;
  return app;
}

const json = { 'content-type': 'application/json' };

const requests: readonly (readonly [status: number, string, InjectOptions])[] = [
  [200, 'the welcome', { url: '/' }],
  [401, 'no token', { method: 'POST', url: '/api/v1/resources' }],
  [404, 'nothing there', { url: '/nowhere' }],
  [405, 'another method', { method: 'DELETE', url: '/api/v1/resources' }],
  [413, 'too much', { method: 'POST', url: '/api/v1/auth/token', headers: json, payload: 'x'.repeat(2_000_000) }],
  [
    415,
    'what is no JSON',
    { method: 'POST', url: '/api/v1/auth/token', headers: { 'content-type': 'text/xml' }, payload: 'x' },
  ],
  [422, 'no integer', { url: '/api/v1/resources?skip=x' }],
  [429, 'too often', { method: 'POST', url: '/api/v1/auth/token' }],
  [500, 'no database', { url: '/api/v1/resources' }],
  [503, 'not ready', { url: '/ready' }],
];

test.each(requests)('%i for %s carries every header', async (status, _case, request) => {
  const built = serving({ ENABLE_HSTS: 'true', RATELIMIT_ENABLED: 'true', RATELIMIT_TOKEN_MAX: '1' });
  if (status === 429) await built.inject(request);
  const response = await built.inject(request);
  expect(response.statusCode).toBe(status);
  expect(response.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'permissions-policy': 'geolocation=(), microphone=(), camera=()',
    'content-security-policy': "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    'strict-transport-security': 'max-age=63072000; includeSubDomains; preload',
    'x-request-id': expect.stringMatching(/^[\w-]{36}$/),
  });
});

test('HSTS is said only when it is switched on', async () => {
  expect((await serving().inject('/')).headers).not.toHaveProperty('strict-transport-security');
});

test('what is about an account or for the scraper alone stays in no cache', async () => {
  const built = serving();
  for (const url of ['/api/v1/auth/token', '/api/v1/auth/logout'])
    expect((await built.inject({ method: 'POST', url })).headers['cache-control']).toBe('no-store');
  expect((await built.inject('/metrics')).headers['cache-control']).toBe('no-store');
  expect((await built.inject('/api/v1/resources')).headers).not.toHaveProperty('cache-control');
});
