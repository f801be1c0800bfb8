import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type Durations, histogramOf, newDurations, observe } from './durations.ts';
import type { RecentRequests } from './recent-requests.ts';
import { isRehearsal } from './rehearsal.ts';

/** One value for every path that no route serves: a scanner must not be able to grow the number of series. */
export const UNMATCHED = 'unmatched';

/** Probes and scrapes carry their route as well, so an error rate over users' requests leaves these out. */
export const OPERATIONAL_ROUTES: readonly string[] = ['/health', '/live', '/ready', '/metrics', '/recent-requests'];

const ROUTE = Symbol('route');

/** The template of the route that serves the request. Fastify makes a dozen fields for each who asks; once is enough. */
export function routeOf(request: FastifyRequest & { [ROUTE]?: string }): string {
  request[ROUTE] ??= request.routeOptions.url ?? UNMATCHED;
  return request[ROUTE];
}

const CLASSES = ['2xx', '3xx', '4xx', '5xx'];

/** A registry of its own per app, so that tests may build many; process gauges included. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/**
 * Counts each response once it has left, as `http_requests_total` and `http_request_duration_seconds`, and those that
 * have not, as `http_requests_in_flight`. What was counted is given back, for those who tell it by other names. What
 * users asked is remembered in `recent`, where one is given. Rehearsals are not counted.
 */
export function countRequests(app: FastifyInstance, registry: Registry, recent?: RecentRequests): readonly Durations[] {
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
  new Counter({
    name: 'http_responses_total',
    help: 'Responses to users, by class of status: all four from the first scrape on; probes and scrapes left out',
    labelNames: ['class'],
    registers: [registry],
    collect() {
      this.reset();
      for (const name of CLASSES) this.inc({ class: name }, 0);
      for (const { labels, count } of all)
        if (!OPERATIONAL_ROUTES.includes(labels.route)) this.inc({ class: `${labels.status[0]}xx` }, count);
    },
  });
  registry.registerMetric(
    histogramOf('http_request_duration_seconds', 'Time from the request line to the end of the response', all),
  );
  countInFlight(app, registry);
  app.addHook('onResponse', (request, reply, done) => {
    if (isRehearsal(request)) return done();
    const route = routeOf(request);
    observe(durationsOf(request.method, route, reply.statusCode), reply.elapsedTime / 1_000);
    if (!OPERATIONAL_ROUTES.includes(route)) recent?.add(request.method, route, request.url, reply.statusCode);
    done();
  });
  return all;
}

/** Probes and scrapes left out: a scrape would always find itself. */
function countInFlight(app: FastifyInstance, registry: Registry): void {
  let inFlight = 0;
  new Gauge({
    name: 'http_requests_in_flight',
    help: 'Requests that have begun and have not been answered, without probes and scrapes',
    registers: [registry],
    collect() {
      this.set(inFlight);
    },
  });
  const ended = () => {
    inFlight -= 1;
  };
  app.addHook('onRequest', (request, reply, done) => {
    if (!OPERATIONAL_ROUTES.includes(routeOf(request)) && !isRehearsal(request)) {
      inFlight += 1;
      // what a client gives up is never sent: Fastify's onResponse does not tell of it
      reply.raw.once('close', ended);
    }
    done();
  });
}

const newMap = <Key, Value>() => new Map<Key, Value>();

function existing<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
