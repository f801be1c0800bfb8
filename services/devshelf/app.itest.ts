import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import { createLogger } from '../common/logging.ts';
import { migrateCli } from '../common/migrate/cli.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { until } from '../common/testing/processes.ts';
import { startRedis, type TestRedis } from '../common/testing/redis.ts';
import { type JobQueue, openQueue } from './queue.ts';
import { testApp } from './testing.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;

let postgres: TestPostgres;
let redis: TestRedis;
let databaseUrl: string;
let jobs: JobQueue;
let app: FastifyInstance;

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  databaseUrl = await postgres.createDatabase('devshelf');
  expect(await migrateCli({ args: ['up'], environment: { DATABASE_URL: databaseUrl, MIGRATIONS_DIR } })).toBe(0);
  jobs = openQueue({ url: redis.url, logger: createLogger('test', 'silent'), registry: new Registry() });
  app = testApp({ environment: { DATABASE_URL: databaseUrl }, jobs }).app;
  await until('it is ready', async () => (await app.inject('/ready')).statusCode === 200);
}, 60_000);
afterAll(async () => {
  await app?.close();
  await jobs?.close();
  await Promise.all([postgres?.remove(), redis?.remove()]);
});

const AUTH = '/api/v1/auth';
const RESOURCES = '/api/v1/resources';

const post = (url: string, payload: object, headers = {}) => app.inject({ method: 'POST', url, payload, headers });

const register = (username: string, email = `${username}@example.org`) =>
  post(`${AUTH}/register`, { username, email, password: 'secretsecret' });

async function bearerOf(username: string) {
  const response = await post(`${AUTH}/token`, { username, password: 'secretsecret' });
  return { authorization: `Bearer ${response.json().access_token}` };
}

test('a resource is created, read and listed; its URL is normalised', async () => {
  await register('dora');
  const bearer = await bearerOf('dora');
  const created = await post(`${RESOURCES}/`, { title: 'Guía', url: 'https://Example.org', type: 'doc' }, bearer);
  expect(created.statusCode).toBe(201);
  const { id } = created.json();
  const whole = {
    title: 'Guía',
    description: null,
    url: 'https://example.org/',
    type: 'doc',
    id,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
  };
  expect(created.json()).toEqual(whole);
  expect((await app.inject(`${RESOURCES}/${id}`)).json()).toEqual(whole);
  expect((await app.inject(`${RESOURCES}/`)).json()).toContainEqual(whole);
  const missing = await app.inject(`${RESOURCES}/00000000-0000-4000-8000-000000000000`);
  expect([missing.statusCode, missing.json()]).toEqual([404, { detail: 'Resource not found' }]);
});

test.each([['javascript:alert(1)'], ['ftp://example.org'], ['nonsense'], [`https://example.org/${'x'.repeat(1_024)}`]])(
  'not a link: %.40s',
  async url => {
    await register('elsa');
    const response = await post(RESOURCES, { title: 'x', url, type: 'doc' }, await bearerOf('elsa'));
    expect([response.statusCode, response.json().detail[0].loc]).toEqual([422, ['body', 'url']]);
  },
);

test('pages of the list neither overlap nor leave out, even within one instant', async () => {
  await query(
    databaseUrl,
    "INSERT INTO resources (title, url, type) SELECT n::text, 'https://example.org/', 'page' FROM generate_series(1, 25) AS n",
  );
  const all = (await app.inject(RESOURCES)).json();
  const pages = [];
  for (let skip = 0; skip < all.length; skip += 7)
    pages.push(...(await app.inject(`${RESOURCES}?skip=${skip}&limit=7`)).json());
  expect(pages).toEqual(all);
});

test('a new resource, and a changed URL, are to be checked; another title is not', async () => {
  await register('flor');
  const bearer = await bearerOf('flor');
  const reader = new Redis(redis.url);
  const waiting = async () => (await reader.llen('{devshelf}:jobs:wait')) as number;
  try {
    const { id } = (await post(RESOURCES, { title: 'x', url: 'https://example.org', type: 'doc' }, bearer)).json();
    await until('it is queued', async () => (await waiting()) > 0);
    const [job] = await reader.lrange('{devshelf}:jobs:wait', 0, 0);
    expect(JSON.parse((await reader.hget(`{devshelf}:jobs:${job}`, 'data')) ?? '')).toEqual({ id });
    const put = async (payload: object) => {
      await reader.flushall();
      const response = await app.inject({ method: 'PUT', url: `${RESOURCES}/${id}`, payload, headers: bearer });
      expect(response.statusCode).toBe(200);
    };
    await put({ url: 'https://example.org/moved' });
    await until('it is queued again', async () => (await waiting()) > 0);
    await put({ title: 'y' });
    await sleep(300);
    expect(await waiting()).toBe(0);
  } finally {
    reader.disconnect();
  }
});

const ready = async () => {
  const begun = performance.now();
  const response = await app.inject('/ready');
  return { status: response.statusCode, dependencies: response.json().dependencies, ms: performance.now() - begun };
};
const isReady = async () => (await ready()).status === 200;

test('readiness names the database that is down, and recovers with it', async () => {
  await until('it is ready', isReady);
  await postgres.stop();
  expect(await ready()).toMatchObject({ status: 503, dependencies: { database: 'failed', redis: 'ok' } });
  const failed = await app.inject(RESOURCES);
  expect([failed.statusCode, failed.json()]).toEqual([500, { detail: 'Internal Server Error' }]);
  expect((await app.inject('/health')).statusCode).toBe(200);
  await postgres.start();
  await until('it is ready again', isReady);
  expect((await app.inject(RESOURCES)).statusCode).toBe(200);
}, 30_000);

test('readiness answers within a second while the database stands still', async () => {
  await until('it is ready', isReady);
  postgres.pause();
  try {
    const answer = await ready();
    expect(answer).toMatchObject({ status: 503, dependencies: { database: 'failed', redis: 'ok' } });
    expect(answer.ms).toBeLessThan(4_000);
  } finally {
    postgres.resume();
  }
  await until('it is ready again', isReady);
}, 30_000);

test('readiness names Redis when it is down; requests that do not need it go on', async () => {
  await until('it is ready', isReady);
  const bearer = await bearerOf('dora');
  await redis.stop();
  await until('it is not ready', async () => !(await isReady()));
  expect(await ready()).toMatchObject({ status: 503, dependencies: { database: 'ok', redis: 'failed' } });
  expect((await post(RESOURCES, { title: 'x', url: 'https://example.org', type: 'doc' }, bearer)).statusCode).toBe(201);
  await redis.start();
  await until('it is ready again', isReady);
}, 30_000);
