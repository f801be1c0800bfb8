import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { testApp as dashboardApp } from './dashboard/testing.ts';
import { testApp } from './devshelf/testing.ts';

const devshelf = testApp({ environment: { ENABLE_HSTS: 'true' } }).app;
const dashboard = dashboardApp({ environment: { DASHBOARD_ENABLE_HSTS: 'true' } }).app;
let port: number;
let dashboardPort: number;
const listen = async (app: FastifyInstance) => Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port);
beforeAll(async () => {
  [port, dashboardPort] = await Promise.all([listen(devshelf), listen(dashboard)]);
});
afterAll(() => Promise.all([devshelf.close(), dashboard.close()]));

async function send(request: string, to = port): Promise<string> {
  const socket = connect(to, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(request);
  return text(socket);
}

const HEADERS = [
  'x-request-id: [\\w-]{36}',
  'x-content-type-options: nosniff',
  'x-frame-options: DENY',
  'referrer-policy: no-referrer',
  "content-security-policy: default-src '(none|self)'; .*",
  'strict-transport-security: max-age=63072000; includeSubDomains; preload',
];

const LONG = 'a'.repeat(20_000);

test.each([
  ['no HTTP at all', 'HELLO\r\n\r\n', 400, 'Bad Request'],
  ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'Bad Request'],
  [
    'an expectation that nobody meets',
    'GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nConnection: close\r\n\r\n',
    417,
    'Expectation Failed',
  ],
  ['a method that nobody knows', 'FETCH / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400, 'Bad Request'],
  ['a request line without end', `GET /${LONG} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 'Request Header Fields Too Large'],
  [
    'TRACE, which would say secrets back',
    'TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    405,
    'Method Not Allowed',
  ],
  [
    'a method of WebDAV',
    'PROPFIND /api/v1/resources HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    404,
    'Not Found',
  ],
  [
    'an undecodable path',
    'GET /api/v1/resources/%E0%A4%A HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    404,
    'Not Found',
  ],
])('%s', async (_case, request, status, detail) => {
  for (const service of [port, dashboardPort]) {
    const answer = await send(request, service);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    for (const header of HEADERS) expect(answer).toMatch(new RegExp(`\\r\\n${header}\\r\\n`, 'i'));
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe(JSON.stringify({ detail }));
  }
});

test('HTTP/1.0 knows no Host', async () => {
  expect(await send('GET /live HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 /);
});

test('of an absolute target only the path is looked at: it leads nowhere else', async () => {
  const lines = 'Host: shop.example\r\nX-Forwarded-Proto: http\r\nConnection: close';
  const forced = dashboardApp({ environment: { DASHBOARD_FORCE_HTTPS: 'true', TRUST_PROXY: '127.0.0.1' } }).app;
  const to = await listen(forced);
  try {
    for (const target of ['http://evil.example/providers?a=b', '/providers?a=b']) {
      const answer = await send(`GET ${target} HTTP/1.1\r\n${lines}\r\n\r\n`, to);
      expect(answer).toMatch(/^HTTP\/1.1 307 (.|\r\n)*\r\nlocation: https:\/\/shop.example\/providers\?a=b\r\n/i);
    }
  } finally {
    await forced.close();
  }
});

test('a body that does not end at its limit is refused while it comes', async () => {
  const head = 'POST /api/v1/resources HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  const declared = await send(`${head}Content-Length: 2000000\r\n\r\n{`);
  const chunked = await send(`${head}Transfer-Encoding: chunked\r\n\r\n200000\r\n${'x'.repeat(0x200_000)}`);
  for (const answer of [declared, chunked]) expect(answer).toMatch(/^HTTP\/1.1 413 /);
});
