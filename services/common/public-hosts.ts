import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { routeOf } from './metrics.ts';

/** A DNS name; no wildcard, and no port, which is not compared. */
const HOST = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** PUBLIC_HOSTS: the names by which the world reaches us through a router, separated by commas. */
export const publicHosts = z
  .string()
  .transform(text =>
    text
      .toLowerCase()
      .split(',')
      .map(host => host.trim())
      .filter(host => host !== ''),
  )
  .refine(
    hosts => hosts.every(host => host.length <= 253 && HOST.test(host)),
    'must be host names separated by commas, for example shop.example: no wildcard, no port',
  )
  .default([]);

/** What the kubelet, Prometheus and the operator ask by the pod's address. `/health` stays: monitors outside use it. */
const HIDDEN: readonly string[] = ['/metrics', '/live', '/ready'];

/** As compared: without port, and without the dot that ends an absolute name. */
export const hostName = (host: string): string => host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '');

/**
 * A router passes every path of the hosts that it serves. By a public name these are not there. Both what the router
 * was asked for and what it says that it was asked for count: a client chooses one of them.
 */
export function hideFromPublic(app: FastifyInstance, hosts: readonly string[]): void {
  if (hosts.length === 0) return;
  const isPublic = (host: string | undefined) => host !== undefined && hosts.includes(hostName(host));
  app.addHook('onRequest', async (request, reply) => {
    if (!HIDDEN.includes(routeOf(request))) return;
    if (!isPublic(request.headers.host) && !isPublic(request.host)) return;
    reply.callNotFound();
    return reply;
  });
}
