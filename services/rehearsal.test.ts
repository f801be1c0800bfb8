// What the operator asks while it rehearses a release is asked like a user's and counted as nobody's; only the scrape
// token makes it so.
import { afterEach, describe, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { API_KEY, testApp as dashboardApp, SCRAPE_TOKEN } from './dashboard/testing.ts';
import { testApp as devshelfApp } from './devshelf/testing.ts';

let app: FastifyInstance;
afterEach(() => app.close());

const token = { authorization: `Bearer ${SCRAPE_TOKEN}` };
const rehearsal = { 'x-rehearsal': '1', 'x-scrape-token': SCRAPE_TOKEN };
const CANARY = 'canary-4711';

const SERVICES = {
  dashboard: {
    build: (environment: Record<string, string>, log?: (line: string) => void) =>
      dashboardApp({ environment, ...(log && { log }) }),
    limit: { DASHBOARD_RATELIMIT_MAX: '3' },
    // refused before the database is asked
    path: '/api/top-products?limit=none',
    route: '/api/top-products',
    headers: { 'x-api-key': API_KEY },
    status: 422,
  },
  devshelf: {
    build: (environment: Record<string, string>, log?: (line: string) => void) =>
      devshelfApp({ environment: { RATELIMIT_ENABLED: 'true', ...environment }, ...(log && { log }) }),
    limit: { RATELIMIT_SEARCH_MAX: '3' },
    path: '/api/v1/resources?skip=none&q=x',
    route: '/api/v1/resources',
    headers: {},
    status: 422,
  },
};

const forged = [
  ['without a token', { 'x-rehearsal': '1' }],
  ['with a wrong token', { 'x-rehearsal': '1', 'x-scrape-token': 'dsk_s1_scrapf' }],
  ['with the token where it does not belong', { 'x-rehearsal': '1', 'x-api-key': SCRAPE_TOKEN }],
  ['with another value', { 'x-rehearsal': 'true', 'x-scrape-token': SCRAPE_TOKEN }],
] as const;

describe.each(['dashboard', 'devshelf'] as const)('%s', name => {
  const { build, limit, path, route, headers, status } = SERVICES[name];
  const lines: string[] = [];
  const start = (environment: Record<string, string> = {}) => {
    lines.length = 0;
    ({ app } = build(environment, line => lines.push(line)));
  };
  const ask = (url: string, more: Record<string, string> = {}) => app.inject({ url, headers: { ...headers, ...more } });
  const metrics = async () => (await app.inject({ url: '/metrics', headers: token })).body;
  const recent = async () => (await app.inject({ url: '/recent-requests', headers: token })).json<{ url: string }[]>();
  const infos = () =>
    lines.map(line => JSON.parse(line)).filter(({ msg, level }) => msg === 'request' && /^info$/i.test(level));

  test('a rehearsal is in no counter, no line at info, no memory, and no limit holds it', async () => {
    start(limit);
    const before = usersLines(await metrics());
    for (let i = 0; i < 8; i += 1) expect((await ask(path, rehearsal)).statusCode).toBe(status);
    expect(usersLines(await metrics())).toEqual(before);
    expect(infos()).toEqual([]);
    expect(await recent()).toEqual([]);
    // and it has used up nothing of what users may
    expect((await ask(path)).statusCode).toBe(status);
    expect(await metrics()).toContain(`route="${route}",status="${status}"} 1`);
  });

  test.each(forged)('a header %s changes nothing', async (_case, more) => {
    start(limit);
    const key: Record<string, string> = { ...more, ...headers };
    for (let i = 0; i < 3; i += 1) expect((await ask(path, key)).statusCode).toBe(status);
    expect((await ask(path, key)).statusCode).toBe(429);
    expect(await metrics()).toContain(`route="${route}",status="${status}"} 3`);
    expect(infos()).toHaveLength(4);
    expect(await recent()).toEqual([expect.objectContaining({ url: path })]);
  });

  test('recent requests are for whoever may read the metrics', async () => {
    start();
    await ask(`${path}&secret=${CANARY}`, { cookie: 'session=abc', 'x-note': 'mine' });
    expect((await app.inject('/recent-requests')).statusCode).toBe(401);
    const answer = await app.inject({ url: '/recent-requests', headers: token });
    expect(answer.json()).toEqual([{ route, url: `${path}&secret=${CANARY}`, status }]);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(lines.join('\n')).not.toContain(CANARY);
    expect(await metrics()).not.toContain(CANARY);
  });

  test('probes and scrapes are not remembered, nor is this route', async () => {
    start();
    for (const url of ['/live', '/health', '/ready', '/metrics', '/recent-requests', '/nowhere'])
      await app.inject({ url, headers: token });
    expect(await recent()).toEqual([]);
  });

  test('RECENT_REQUESTS=0 switches it off', async () => {
    start({ RECENT_REQUESTS: '0' });
    await ask(path);
    expect((await app.inject({ url: '/recent-requests', headers: token })).statusCode).toBe(404);
    expect((await app.inject('/openapi.json')).body).not.toContain('recent-requests');
  });
});

test('where the Host is checked and HTTPS is forced a rehearsal comes as probes do, and the API key is still asked for', async () => {
  const environment = {
    DASHBOARD_ALLOWED_HOSTS: 'shop.example.com',
    DASHBOARD_FORCE_HTTPS: 'true',
    TRUST_PROXY: '10.0.0.1',
  };
  ({ app } = dashboardApp({ environment }));
  const url = '/api/top-products?limit=none';
  expect((await app.inject({ url, headers: { 'x-api-key': API_KEY } })).statusCode).toBe(400);
  expect((await app.inject({ url, headers: rehearsal })).statusCode).toBe(401);
  expect((await app.inject({ url, headers: { ...rehearsal, 'x-api-key': API_KEY } })).statusCode).toBe(422);
});

/** What tells of users, and not of this process. */
const usersLines = (metrics: string): readonly string[] =>
  metrics
    .split('\n')
    .filter(line => /^(http|dashboard)_(?!uptime)/.test(line))
    .filter(line => !/route="\/(metrics|recent-requests)"|path="\/(metrics|recent-requests)"/.test(line))
    .filter(line => !/^dashboard_(requests_total|request_duration_ms_p95)/.test(line));
