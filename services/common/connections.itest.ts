import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';
import { createLogger } from './logging.ts';
import { answerWithoutHooks, serverOptions } from './requests.ts';
import { closePolitely, newLifecycle, stopServing } from './shutdown.ts';
import { until } from './testing/processes.ts';

let app: FastifyInstance | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await app?.close();
});

async function serving(maxConnections?: number) {
  const patience = { headers: 300, request: 600, every: 50 };
  const built = fastify({
    ...serverOptions(createLogger('test', 'silent'), patience),
    clientErrorHandler: answerWithoutHooks({}),
  }) as unknown as FastifyInstance;
  app = built;
  const lifecycle = newLifecycle();
  closePolitely(built, lifecycle, maxConnections);
  built.get('/', async () => 'here');
  built.post('/', async () => 'taken');
  const port = Number(new URL(await built.listen({ host: '127.0.0.1', port: 0 })).port);
  const open = async (request = '') => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(request);
    return socket;
  };
  return { app: built, lifecycle, open };
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const LAST_GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

test.each([
  ['headers that do not end', 'GET / HTTP/1.1\r\nHost: x\r\n'],
  [
    'a body that does not come',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
  ],
])('%s are waited for in vain for a while, then answered 408', async (_case, request) => {
  const { open } = await serving();
  expect(await text(await open(request))).toMatch(/^HTTP\/1.1 408 /);
});

test('a connection that never says anything is closed, too', async () => {
  const { open } = await serving();
  const socket = (await open()).resume();
  await once(socket, 'close');
});

test.each([
  ['say nothing', ''],
  ['have been answered', GET],
])('connections that %s make room for who comes', async (_case, request) => {
  const { lifecycle, open } = await serving(5);
  const held = await Promise.all(Array.from({ length: 5 }, () => open(request)));
  if (request !== '') await Promise.all(held.map(socket => once(socket, 'data')));
  for (let turn = 0; turn < 10; turn += 1) expect(await text(await open(LAST_GET))).toMatch(/^HTTP\/1.1 200 /);
  await until('no more are open than may be', () => lifecycle.open.size <= 5);
});

test('a stop waits a second for a connection that is quiet, not for the whole drain', async () => {
  const { app: built, lifecycle, open } = await serving();
  await once(await open(GET), 'data');
  const begun = performance.now();
  await stopServing(built, lifecycle, { delayMs: 0, drainMs: 30_000 });
  expect(performance.now() - begun).toBeLessThan(10_000);
});

test('who goes on talking has the whole drain to leave, and loses nothing', async () => {
  const { app: built, lifecycle, open } = await serving();
  const socket = await open(GET);
  await once(socket, 'data');
  const stopped = stopServing(built, lifecycle, { delayMs: 0, drainMs: 30_000 });
  await until('it stops', () => lifecycle.stopping);
  socket.write(GET);
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1.1 200 (.|\r\n)*\r\nconnection: close\r\n/i);
  await stopped;
});
