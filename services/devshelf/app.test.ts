import { afterEach, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { SCRAPE_TOKEN, testApp } from './testing.ts';

let app: FastifyInstance | undefined;

function build(...args: Parameters<typeof testApp>) {
  const built = testApp(...args);
  app = built.app;
  return built;
}
afterEach(async () => app?.close());

const scrape = { authorization: `Bearer ${SCRAPE_TOKEN}` };

test('the welcome and the liveness touch nothing', async () => {
  const { app } = build();
  const welcome = await app.inject('/');
  expect(welcome.json()).toEqual({
    message: '¡Bienvenido a la API de la Biblioteca de Recursos para Programadores!',
  });
  expect((await app.inject('/health')).statusCode).toBe(200);
});

test('the metrics need the scrape token', async () => {
  const { app } = build();
  expect((await app.inject({ url: '/metrics', headers: scrape })).statusCode).toBe(200);
  expect((await app.inject('/metrics')).statusCode).toBe(401);
  const wrong = await app.inject({ url: '/metrics', headers: { authorization: 'Bearer wrong' } });
  expect(wrong.statusCode).toBe(401);
  expect(wrong.headers['www-authenticate']).toBe('Bearer');
});

test('what a hook throws is a 500 without its cause, and is counted under its route', async () => {
  const { app } = build();
  app.addHook('preHandler', async request => {
    if (request.url === '/') throw new Error('a secret cause');
  });
  const response = await app.inject('/');
  expect(response.statusCode).toBe(500);
  expect(response.json()).toEqual({ detail: 'Internal Server Error' });
  const metrics = (await app.inject({ url: '/metrics', headers: scrape })).body;
  expect(metrics).toContain('http_requests_total{method="GET",route="/",status="500"} 1');
});

test('paths that no route serves share one series', async () => {
  const { app } = build();
  for (const path of ['/a', '/b', '/c?d=e']) await app.inject(path);
  await app.inject('/api/v1/resources/1');
  const metrics = (await app.inject({ url: '/metrics', headers: scrape })).body;
  expect(metrics).toContain('http_requests_total{method="GET",route="unmatched",status="404"} 3');
  expect(metrics).toContain('http_requests_total{method="GET",route="/api/v1/resources/:id",status="404"} 1');
});

test('from the signal on: unready at once, still serving, and asking its clients to go', async () => {
  const { app, lifecycle } = build();
  lifecycle.stopping = true;
  const ready = await app.inject('/ready');
  expect([ready.statusCode, ready.json().status]).toEqual([503, 'stopping']);
  const served = await app.inject('/');
  expect([served.statusCode, served.headers.connection]).toEqual([200, 'close']);
});

test('who reads the metrics is counted from the first reading on, and no one who is refused', async () => {
  const { app } = build();
  const read = async (agent: string, headers = scrape) =>
    (await app.inject({ url: '/metrics', headers: { ...headers, 'user-agent': agent } })).body
      .split('\n')
      .filter(line => line.startsWith('scrapes_total'));
  await read('Prometheus/2.42.0', { authorization: 'Bearer wrong' });
  expect(await read('curl/8')).toEqual([
    'scrapes_total{by="prometheus"} 0',
    'scrapes_total{by="operator"} 0',
    'scrapes_total{by="other"} 1',
  ]);
  await read('Prometheus/2.42.0');
  expect(await read('devshelf-operator/0.1.0')).toEqual([
    'scrapes_total{by="prometheus"} 1',
    'scrapes_total{by="operator"} 1',
    'scrapes_total{by="other"} 1',
  ]);
});

test("the caller's request id comes back where it is harmless", async () => {
  const { app } = build();
  const idOf = async (given: string) => {
    return (await app.inject({ url: '/', headers: { 'x-request-id': given } })).headers['x-request-id'];
  };
  expect(await idOf('abc-1:2.3_4')).toBe('abc-1:2.3_4');
  expect(await idOf('a b')).toMatch(/^[0-9a-f-]{36}$/);
});

test.each([
  ['no token', {}, 'Not authenticated'],
  ['another scheme', { authorization: 'Basic x' }, 'Not authenticated'],
  ['a forged token', { authorization: 'Bearer a.b.c' }, 'Could not validate credentials'],
])('creating a resource is refused: %s', async (_case, headers, detail) => {
  const { app } = build();
  for (const url of ['/api/v1/resources', '/api/v1/resources/']) {
    const response = await app.inject({ method: 'POST', url, headers, payload: {} });
    expect([response.statusCode, response.json().detail]).toEqual([401, detail]);
    expect(response.headers['www-authenticate']).toBe('Bearer');
  }
});

test.each([
  ['POST', '/api/v1/auth/register', { username: 'ana', email: 'ana', password: 'secretsecret' }, ['body', 'email']],
  [
    'POST',
    '/api/v1/auth/register',
    { username: 'ana', email: 'a@example.org', password: 'short' },
    ['body', 'password'],
  ],
  ['POST', '/api/v1/auth/token', { username: 'ana' }, ['body', 'password']],
  ['GET', '/api/v1/resources?skip=abc', undefined, ['query', 'skip']],
  ['GET', '/api/v1/resources?limit=101', undefined, ['query', 'limit']],
] as const)('422 says where: %s %s', async (method, url, payload, loc) => {
  const { app } = build();
  const response = await app.inject({ method, url, ...(payload && { payload }) });
  expect(response.statusCode).toBe(422);
  expect(response.json().detail).toEqual([expect.objectContaining({ loc, msg: expect.any(String) })]);
});

test('a body that is no JSON is the sender’s fault', async () => {
  const { app } = build();
  const headers = { 'content-type': 'application/json' };
  const response = await app.inject({ method: 'POST', url: '/api/v1/auth/token', headers, payload: '{"user' });
  expect([response.statusCode, response.json().detail[0].type]).toEqual([422, 'json_invalid']);
});
