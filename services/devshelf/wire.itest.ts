import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { testApp } from './testing.ts';

const { app } = testApp();
let port: number;
beforeAll(async () => {
  port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port);
});
afterAll(() => app.close());

async function send(request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(request);
  return text(socket);
}

const LONG = 'a'.repeat(20_000);

test.each([
  ['no HTTP at all', 'HELLO\r\n\r\n', 400, 'Bad Request'],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400, undefined],
  ['a method that nobody knows', 'FETCH / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400, 'Bad Request'],
  ['a request line without end', `GET /${LONG} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 'Request Header Fields Too Large'],
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
  const answer = await send(request);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  if (detail === undefined) return;
  expect(answer).toMatch(/\r\nx-request-id: [\w-]{36}\r\n/i);
  expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe(JSON.stringify({ detail }));
});

test('a body that does not end at its limit is refused while it comes', async () => {
  const head = 'POST /api/v1/resources HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  const declared = await send(`${head}Content-Length: 2000000\r\n\r\n{`);
  const chunked = await send(`${head}Transfer-Encoding: chunked\r\n\r\n200000\r\n${'x'.repeat(0x200_000)}`);
  for (const answer of [declared, chunked]) expect(answer).toMatch(/^HTTP\/1.1 413 /);
});
