import { once } from 'node:events';
import { type ClientRequest, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import Fastify, { type FastifyInstance } from 'fastify';
import { countRequests, createRegistry } from './metrics.ts';

let app: FastifyInstance;
afterEach(() => app.close());

/** An app whose `/slow` answers when it is let; `begun` resolves each time a request has got there. */
async function slowApp() {
  const registry = createRegistry();
  const waiting: { answer: () => void }[] = [];
  let arrived = Promise.withResolvers<void>();
  app = Fastify({ forceCloseConnections: true });
  countRequests(app, registry);
  const slow = async () => {
    const gate = Promise.withResolvers<void>();
    waiting.push({ answer: gate.resolve });
    arrived.resolve();
    await gate.promise;
    return 'done';
  };
  app.get('/slow', slow);
  app.get('/ready', slow);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  return {
    waiting,
    ask: async (path: string): Promise<ClientRequest> => {
      arrived = Promise.withResolvers<void>();
      const request = get({ host: '127.0.0.1', port, path });
      request.on('error', () => {});
      await arrived.promise;
      return request;
    },
    inFlight: async (): Promise<number> =>
      Number(/^http_requests_in_flight (\S+)$/m.exec(await registry.metrics())?.[1]),
    closed: async (want: number, inFlight: () => Promise<number>) => {
      while ((await inFlight()) !== want) await new Promise(resolve => setImmediate(resolve));
    },
  };
}

test('a user’s request is in flight from its beginning until it is answered', async () => {
  const { ask, waiting, inFlight, closed } = await slowApp();
  expect(await inFlight()).toBe(0);
  const request = await ask('/slow');
  await ask('/slow');
  expect(await inFlight()).toBe(2);
  const answered = once(request, 'response');
  waiting[0]?.answer();
  const [response] = await answered;
  response.resume();
  await closed(1, inFlight);
  waiting[1]?.answer();
  await closed(0, inFlight);
});

test('one that the client gives up is not in flight for ever', async () => {
  const { ask, inFlight, closed } = await slowApp();
  const request = await ask('/slow');
  expect(await inFlight()).toBe(1);
  request.destroy();
  await closed(0, inFlight);
});

test('probes are none', async () => {
  const { ask, waiting, inFlight } = await slowApp();
  await ask('/ready');
  expect(await inFlight()).toBe(0);
  waiting[0]?.answer();
});

test('what no route serves is answered, too', async () => {
  const { inFlight } = await slowApp();
  expect((await app.inject('/unknown')).statusCode).toBe(404);
  expect(await inFlight()).toBe(0);
});
