import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** One value for every path that no route serves: a scanner must not be able to grow the number of series. */
export const UNMATCHED = 'unmatched';

/** Probes and scrapes carry their route as well, so an error rate over users' requests leaves these out. */
export const OPERATIONAL_ROUTES: readonly string[] = ['/health', '/live', '/ready', '/metrics'];

export const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? UNMATCHED;

// bucket edges in seconds, from a cached answer to one that ran into the database's timeouts
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** A registry of its own per app, so that tests may build many; process gauges included. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** Counts each response once it has left, as `http_requests_total` and `http_request_duration_seconds`. */
export function countRequests(app: FastifyInstance, registry: Registry): void {
  const labelNames = ['method', 'route', 'status'] as const;
  type Series = {
    readonly labels: Readonly<Record<(typeof labelNames)[number], string>>;
    readonly duration: Histogram.Internal<(typeof labelNames)[number]>;
    count: number;
  };
  const known = new Map<string, Series>();
  // counted here, and told when somebody asks: an addition for each response instead of a look-up
  new Counter({
    name: 'http_requests_total',
    help: 'Responses sent, by method, route template and status code',
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, count } of known.values()) this.inc(labels, count);
    },
  });
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request line to the end of the response',
    labelNames,
    buckets: DURATION_BUCKETS,
    registers: [registry],
  });
  const seriesOf = (method: string, route: string, status: number): Series => {
    const key = `${method} ${route} ${status}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const labels = { method, route, status: String(status) };
    const made = { labels, count: 0, duration: duration.labels(labels) };
    known.set(key, made);
    return made;
  };
  app.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done) => {
    const counted = seriesOf(request.method, routeOf(request), reply.statusCode);
    counted.count += 1;
    counted.duration.observe(reply.elapsedTime / 1_000);
    done();
  });
}
