import { gunzipSync } from 'node:zlib';
import { afterAll, expect, test } from '@jest/globals';
import fastify from 'fastify';
import { serveDocs } from './docs.ts';
import { answerErrors } from './errors.ts';
import { apiRoutes } from './openapi.ts';
import { testApp } from './testing.ts';

const { app } = testApp();
afterAll(() => app.close());

test('the page takes nothing from another host and has no inline script', async () => {
  for (const url of ['/docs', '/docs/']) {
    const response = await app.inject(url);
    expect([response.statusCode, response.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const policy = String(response.headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'self'; script-src 'self';/);
    expect(policy).not.toMatch(/https?:|\*/);
    expect(response.body).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(response.body).not.toMatch(/<script(?![^>]*\ssrc=)|\son\w+=/);
  }
});

test('everything it refers to is served', async () => {
  const { body } = await app.inject('/docs');
  const references = [...body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, url]) => String(url));
  expect(references).toHaveLength(4);
  for (const url of references) {
    const plain = await app.inject(url);
    expect(plain.statusCode).toBe(200);
    expect(plain.body.length).toBeGreaterThan(100);
  }
});

test('it can be switched off, and the document with it', async () => {
  const closed = testApp({ environment: { DOCS_ENABLED: 'false' } }).app;
  try {
    for (const url of ['/docs', '/docs/swagger-ui.css', '/openapi.json']) {
      expect((await closed.inject(url)).statusCode).toBe(404);
    }
    expect((await closed.inject('/')).statusCode).toBe(200);
  } finally {
    await closed.close();
  }
});

test('what is large travels compressed to whom can read that', async () => {
  const url = '/docs/swagger-ui-bundle.js';
  const [plain, compressed] = [
    await app.inject(url),
    await app.inject({ url, headers: { 'accept-encoding': 'br, gzip' } }),
  ];
  expect(compressed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
  expect(gunzipSync(compressed.rawPayload).equals(plain.rawPayload)).toBe(true);
  expect(compressed.rawPayload.length).toBeLessThan(plain.rawPayload.length / 2);
});

test('a file that cannot be read is an error like any other: nobody keeps it, or takes it for compressed', async () => {
  const bare = fastify();
  const content = () => Promise.reject(new Error('not in this image'));
  answerErrors(bare);
  serveDocs(bare, apiRoutes(bare), { '/docs/swagger-ui.css': { type: 'text/css; charset=utf-8', content } });
  for (const headers of [{}, { 'accept-encoding': 'gzip' }]) {
    const failed = await bare.inject({ url: '/docs/swagger-ui.css', headers });
    expect([failed.statusCode, failed.json()]).toEqual([500, { detail: 'Internal Server Error' }]);
    expect(failed.headers).not.toHaveProperty('content-encoding');
    expect(failed.headers).not.toHaveProperty('cache-control');
  }
  await bare.close();
});
