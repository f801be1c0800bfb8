// Against servers that are there, on loopback.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { type Answer, poster } from './post.ts';

const SECRET = 'T000-canary-B000';
const MESSAGE = { contentType: 'application/json; charset=utf-8', body: '{"text":"1.3.1 was taken back — é"}' };
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/${SECRET}`;
}

const textOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
};

const send = poster({ userAgent: 'test/1', timeoutMs: 1_000, allows: () => true });
const sent = (url: string, by = send): Promise<Answer> =>
  by({ url, headers: { authorization: `Bearer ${SECRET}` } }, MESSAGE, new AbortController().signal);

test('a message arrives as it is, with its headers', async () => {
  const seen: unknown[] = [];
  const url = await listen(async (request, response) => {
    const { method, url: path, headers } = request;
    seen.push({ method, path, headers, body: await textOf(request) });
    response.writeHead(204).end();
  });
  expect(await sent(url)).toEqual({ kind: 'sent' });
  expect(seen).toMatchObject([
    {
      method: 'POST',
      path: `/${SECRET}`,
      headers: { authorization: `Bearer ${SECRET}`, 'content-type': MESSAGE.contentType, 'user-agent': 'test/1' },
      body: MESSAGE.body,
    },
  ]);
});

test.each([
  [500, { kind: 'failed', why: 'answered 500' }],
  [404, { kind: 'failed', why: 'answered 404' }],
  [403, { kind: 'failed', why: 'answered 403' }],
  [400, { kind: 'refused', why: 'answered 400' }],
  [413, { kind: 'refused', why: 'answered 413' }],
])('%d is told without a word of its body', async (status, answer) => {
  const url = await listen((_request, response) => response.writeHead(status).end(`invalid_token ${SECRET}`));
  expect(await sent(url)).toEqual(answer);
});

test('who asks to be left alone for a while is told so', async () => {
  const url = await listen((_request, response) => response.writeHead(429, { 'retry-after': '30' }).end());
  expect(await sent(url)).toEqual({ kind: 'failed', why: 'answered 429', retryAfterMs: 30_000 });
});

test.each([301, 302, 307, 308])('a redirect (%d) is not followed', async status => {
  let asked = 0;
  const elsewhere = await listen((_request, response) => {
    asked += 1;
    response.end();
  });
  const url = await listen((_request, response) => response.writeHead(status, { location: elsewhere }).end());
  expect(await sent(url)).toEqual({ kind: 'failed', why: `answered ${status}, and redirects are not followed` });
  expect(asked).toBe(0);
});

test('a server that does not answer is waited for no longer than asked', async () => {
  const url = await listen(() => {});
  const quick = poster({ userAgent: 'test/1', timeoutMs: 100, allows: () => true });
  expect(await sent(url, quick)).toEqual({ kind: 'failed', why: 'no answer within 0.1 s' });
});

test('an endless body delays nothing: it is not read', async () => {
  const url = await listen((_request, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('x'.repeat(1_000)), 5);
    response.once('close', () => clearInterval(timer));
  });
  expect(await sent(url)).toEqual({ kind: 'sent' });
});

test('nobody listens: the answer has a code, and no address', async () => {
  const url = await listen(() => {});
  const [server] = servers.splice(0);
  if (!server) throw new Error('no server');
  server.close();
  await once(server, 'close');
  expect(await sent(url)).toEqual({ kind: 'failed', why: 'no answer (ECONNREFUSED)' });
});

test('a name is refused for the address that it leads to', async () => {
  const url = (await listen((_request, response) => response.end())).replace('127.0.0.1', 'localhost');
  const strict = poster({ userAgent: 'test/1' });
  expect(await sent(url, strict)).toEqual({ kind: 'failed', why: 'no answer (ADDRESS_REFUSED)' });
  expect(await sent(url)).toEqual({ kind: 'sent' });
});

test('a connection that is broken in the middle of an answer', async () => {
  const url = await listen(request => request.socket.destroy());
  expect(await sent(url)).toEqual({ kind: 'failed', why: 'no answer (ECONNRESET)' });
});
