import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Counter, collectDefaultMetrics, Registry } from 'prom-client';
import { type Durations, histogramOf, newDurations, observe } from './durations.ts';

/** One value for every path that no route serves: a scanner must not be able to grow the number of series. */
export const UNMATCHED = 'unmatched';

/** Probes and scrapes carry their route as well, so an error rate over users' requests leaves these out. */
export const OPERATIONAL_ROUTES: readonly string[] = ['/health', '/live', '/ready', '/metrics'];

const ROUTE = Symbol('route');

/** The template of the route that serves the request. Fastify makes a dozen fields for each who asks; once is enough. */
export function routeOf(request: FastifyRequest & { [ROUTE]?: string }): string {
  request[ROUTE] ??= request.routeOptions.url ?? UNMATCHED;
  return request[ROUTE];
}

/** A registry of its own per app, so that tests may build many; process gauges included. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/**
 * Counts each response once it has left, as `http_requests_total` and `http_request_duration_seconds`. What was counted
 * is given back, for those who tell it by other names.
 */
export function countRequests(app: FastifyInstance, registry: Registry): readonly Durations[] {
  const all: Durations[] = [];
  const byRoute = new Map<string, Map<string, Map<number, Durations>>>();
  const durationsOf = (method: string, route: string, status: number): Durations => {
    const byMethod = existing(byRoute, route, newMap<string, Map<number, Durations>>);
    const byStatus = existing(byMethod, method, newMap<number, Durations>);
    return existing(byStatus, status, () => {
      const durations = newDurations({ method, route, status: String(status) });
      all.push(durations);
      return durations;
    });
  };
  new Counter({
    name: 'http_requests_total',
    help: 'Responses sent, by method, route template and status code',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, count } of all) this.inc(labels, count);
    },
  });
  registry.registerMetric(
    histogramOf('http_request_duration_seconds', 'Time from the request line to the end of the response', all),
  );
  app.addHook('onResponse', (request, reply, done) => {
    observe(durationsOf(request.method, routeOf(request), reply.statusCode), reply.elapsedTime / 1_000);
    done();
  });
  return all;
}

const newMap = <Key, Value>() => new Map<Key, Value>();

function existing<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
