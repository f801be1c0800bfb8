// What users asked of late, so that a new release can be asked the same before any user meets it. Addresses only: never
// a header, a body or a cookie; and only for whoever may read the metrics.
import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { UNMATCHED } from './metrics.ts';
import type { Routes } from './routes.ts';
import type { ScrapeReader } from './scrape.ts';

/** Of each route, and of so many routes. */
const PER_ROUTE = 3;
const ROUTES = 60;
/** Characters of path and query. A longer one is not remembered: cut it would ask something else. */
const LONGEST_URL = 512;

/** Once something is known of a route, one answer of so many is looked at: to compare addresses costs more than the rest. */
const STRIDE = 7;

type Seen = { url: string; status: number; turn: number };
type Route = { readonly seen: Seen[]; skip: number };

export type RecentRequest = { readonly route: string; readonly url: string; readonly status: number };

export type RecentRequests = {
  /** One answer. What it costs, every request pays. */
  add(method: string, route: string, url: string, status: number): void;
  /** The newest first. */
  list(): readonly RecentRequest[];
};

/** Remembers what is harmless to be asked again: reads that were answered below 500, on routes that exist. */
export function recentRequests(): RecentRequests {
  const byRoute = new Map<string, Route>();
  let turn = 0;

  const begin = (route: string): Route => {
    const [oldest] = byRoute.keys();
    if (byRoute.size >= ROUTES && oldest !== undefined) byRoute.delete(oldest);
    const begun = { seen: [], skip: 0 };
    byRoute.set(route, begun);
    return begun;
  };
  return {
    add: (method, route, url, status) => {
      if (status >= 500 || (method !== 'GET' && method !== 'HEAD')) return;
      const known = byRoute.get(route);
      if (known !== undefined && known.skip > 0) {
        known.skip -= 1;
        return;
      }
      if (url.length > LONGEST_URL || route === UNMATCHED) return;
      turn += 1;
      remember(known ?? begin(route), { url, status, turn });
    },
    list: () =>
      [...byRoute]
        .flatMap(([route, { seen }]) => seen.map(one => ({ route, ...one })))
        .sort((a, b) => b.turn - a.turn)
        .map(({ route, url, status }) => ({ route, url, status })),
  };
}

function remember(route: Route, now: Seen): void {
  const { seen } = route;
  const same = seen.find(({ url }) => url === now.url);
  if (same === undefined && seen.length < PER_ROUTE) seen.push(now);
  else Object.assign(same ?? oldestOf(seen, now), now);
  if (same !== undefined || seen.length === PER_ROUTE) route.skip = STRIDE - 1;
}

const oldestOf = (seen: readonly Seen[], now: Seen): Seen =>
  seen.reduce((oldest, one) => (one.turn < oldest.turn ? one : oldest), now);

/** GET /recent-requests, for whoever may read the metrics. */
export function serveRecentRequests(app: FastifyInstance, recent: RecentRequests, reader: ScrapeReader): void {
  app.get('/recent-requests', async (request, reply) => {
    if (!reader.allows(request)) return reader.refuse(request, reply);
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(recent.list()));
  });
}

const answer = z.array(z.object({ route: z.string(), url: z.string(), status: z.int() }));

/** `security`: the names of what opens it. */
export function describeRecentRequests(routes: Routes, security: string | readonly string[]): void {
  routes.describe({
    method: 'GET',
    path: '/recent-requests',
    tags: ['operations'],
    summary: 'What was asked of late: the newest addresses of each route, for the rehearsal of a release',
    security,
    answer: { status: 200, schema: answer },
  });
}
