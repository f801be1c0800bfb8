import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import fastify from 'fastify';
import { readConfig } from '../common/config.ts';
import { createLogger } from '../common/logging.ts';
import { createRegistry } from '../common/metrics.ts';
import { countAuth } from './auth-metrics.ts';
import { apiConfig } from './config.ts';
import { limitClients } from './limits.ts';

const NO_DATABASE = 'postgresql://nobody@127.0.0.1:1/none';

/** What the log says while somebody behind a proxy asks three times and may ask once. */
async function logOf(environment: Record<string, string>, headers: Record<string, string>): Promise<string[]> {
  const config = readConfig(apiConfig, { DATABASE_URL: NO_DATABASE, RATELIMIT_TOKEN_MAX: '1', ...environment });
  const log = new PassThrough();
  const logger = createLogger('test', 'info', log);
  const limit = limitClients({ config, redis: undefined, logger, metrics: countAuth(createRegistry()) });
  const app = fastify({ trustProxy: config.TRUST_PROXY });
  app.get('/', { onRequest: limit('token') }, async () => 'in');
  for (let time = 0; time < 3; time += 1) await app.inject({ url: '/', remoteAddress: '10.0.0.1', headers });
  await app.close();
  log.end();
  return (await text(log)).split('\n').filter(line => line !== '');
}

const forwarded = { 'x-forwarded-for': '203.0.113.9' };

test('who forgot to name the proxy is told, once', async () => {
  const lines = await logOf({}, forwarded);
  expect(lines.length).toBe(1);
  expect(lines[0]).toContain('TRUST_PROXY');
});

test.each([
  ['the proxy is named', { TRUST_PROXY: '10.0.0.0/8' }, forwarded],
  ['there is no proxy', {}, {}],
])('nothing to say: %s', async (_case, environment, headers) => {
  expect(await logOf(environment, headers)).toEqual([]);
});
