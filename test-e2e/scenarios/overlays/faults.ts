// What a bad release does, put around the real dashboard: its own error path answers, its own metrics count.
import { setTimeout } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const isUsers = ({ url }: FastifyRequest): boolean => url.startsWith('/api/');

/** Every response says which build gave it. */
export function mark(app: FastifyInstance, release: string): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('X-Release', release);
  });
}

/** Every second one of the users' requests takes so much longer, and is answered well. */
export function delayHalf(app: FastifyInstance, ms: number): void {
  let count = 0;
  app.addHook('preHandler', async request => {
    if (!isUsers(request)) return;
    count += 1;
    if (count % 2 === 1) await setTimeout(ms);
  });
}

/**
 * Every second one of the users' requests of which `isBroken` says so runs into an exception. Not a half by chance: then
 * luck alone would make one run twice as long as another (docs/statistics.md has the distribution).
 */
export function failHalf(app: FastifyInstance, isBroken: (request: FastifyRequest) => boolean = () => true): void {
  let count = 0;
  app.addHook('preHandler', async request => {
    if (!isUsers(request) || !isBroken(request)) return;
    count += 1;
    if (count % 2 === 1) throw new TypeError('prices.map is not a function');
  });
}
