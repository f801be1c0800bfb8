// What a bad release does, put around the real dashboard: its own error path answers, its own metrics count.
import { randomInt } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const isUsers = ({ url }: FastifyRequest): boolean => url.startsWith('/api/');

/** Every response says which build gave it. */
export function mark(app: FastifyInstance, release: string): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('X-Release', release);
  });
}

/** Half of the users' requests, by chance, run into an exception while `isBroken` says so. */
export function failHalf(app: FastifyInstance, isBroken: () => boolean = () => true): void {
  app.addHook('preHandler', async request => {
    if (isUsers(request) && isBroken() && randomInt(2) === 0) throw new TypeError('prices.map is not a function');
  });
}
