import { afterEach, describe, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { testApp as dashboard, SCRAPE_TOKEN } from '../dashboard/testing.ts';
import { testApp as devshelf } from '../devshelf/testing.ts';
import { readConfig } from './config.ts';
import { publicHosts } from './public-hosts.ts';

const environment = { PUBLIC_HOSTS: 'shop.example, www.shop.example', TRUST_PROXY: '10.0.0.0/8' };

let app: FastifyInstance | undefined;
afterEach(async () => app?.close());

describe.each([
  ['dashboard', dashboard],
  ['DevShelf', devshelf],
])('%s', (_name, build) => {
  const ask = (url: string, headers: Record<string, string>, remoteAddress = '10.1.2.3') => {
    app = build({ environment }).app;
    return app.inject({ url, headers, remoteAddress });
  };

  test.each(['/metrics', '/live', '/ready', '/live/', '/live?x=1'])('%s is not there by a public name', async url => {
    for (const host of ['shop.example', 'WWW.shop.example:443', 'shop.example.']) {
      const response = await ask(url, { host, authorization: `Bearer ${SCRAPE_TOKEN}` });
      expect([response.statusCode, response.json()]).toEqual([404, { detail: 'Not Found' }]);
      await app?.close();
    }
  });

  test.each([
    ['a name that the router was not asked for', { host: 'shop.example', 'x-forwarded-host': '10.0.0.7' }],
    ['a name that the router puts into another header', { host: '10.0.0.7', 'x-forwarded-host': 'shop.example' }],
  ])('nor by %s', async (_case, headers) => {
    expect((await ask('/live', headers)).statusCode).toBe(404);
  });

  test.each(['10.0.0.7:8080', 'shop.example.evil', 'dashboard.shop.svc', ''])('it is by Host %j', async host => {
    expect((await ask('/live', { host })).statusCode).toBe(200);
  });

  test('what else is served stays', async () => {
    expect((await ask('/openapi.json', { host: 'shop.example' })).statusCode).toBe(200);
  });
});

test.each(['*.example', 'shop.example:443', 'https://shop.example', '-shop.example', 'shop_.example'])(
  '%j is no public host',
  text => {
    const config = z.object({ PUBLIC_HOSTS: publicHosts });
    expect(() => readConfig(config, { PUBLIC_HOSTS: text })).toThrow('- PUBLIC_HOSTS: must be host names');
  },
);
