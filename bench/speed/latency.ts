import { type Contenders, LOGIN } from './contenders.ts';
import type { Ask, Client, Outcome } from './load.ts';
import { say } from './report.ts';
import type { Running } from './servers.ts';
import type { Turns } from './throughput.ts';

export type Latency = {
  readonly service: string;
  readonly name: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** answers of 500 and above, connections lost, answers that did not come */
  readonly failed: number;
};

export const UNCACHED = 'Dashboard, cache off';

const CLIENTS = 8;
const WARM_UP_SECONDS = 0.3;

type Route = { readonly name: string; readonly asks: readonly Ask[] };

/** Every route, eight clients who ask as fast as they are answered. */
export async function measureLatencies(contenders: Contenders, client: Client, turns: Turns): Promise<Latency[]> {
  const { ours } = contenders;
  const groups: readonly [string, Running, readonly Route[]][] = [
    ['DevShelf', ours.devshelf, devshelfRoutes(contenders)],
    ['Dashboard', ours.dashboard, dashboardRoutes(contenders)],
    [UNCACHED, ours.uncached, dashboardRoutes(contenders)],
  ];
  const results: Latency[] = [];
  for (const [service, server, routes] of groups) {
    for (const { name, asks } of routes.filter(route => route.name.includes(turns.only))) {
      await client.run({ url: server.url, clients: CLIENTS, seconds: WARM_UP_SECONDS, requests: asks });
      const outcome = await client.run({ url: server.url, clients: CLIENTS, seconds: turns.seconds, requests: asks });
      const latency = latencyOf(service, name, outcome);
      say(
        `${service}, ${name}: p50 ${latency.p50Ms} ms, p99 ${latency.p99Ms} ms${latency.failed ? `, ${latency.failed} FAILED` : ''}`,
      );
      results.push(latency);
    }
  }
  return results;
}

const latencyOf = (service: string, name: string, outcome: Outcome): Latency => ({
  service,
  name,
  perSecond: outcome.perSecond,
  p50Ms: outcome.p50Ms,
  p99Ms: outcome.p99Ms,
  maxMs: outcome.maxMs,
  failed: outcome.serverErrors + outcome.broken,
});

function devshelfRoutes({ ids, keys }: Contenders): readonly Route[] {
  const list = '/api/v1/resources/';
  const NOBODY = '00000000-0000-4000-8000-000000000000';
  const get = (path: string, headers: Record<string, string> = {}): Route => ({
    name: `GET ${path}`,
    asks: [{ path, headers }],
  });
  const body = JSON.stringify({ title: 'Written by the bench', url: 'https://devshelf.example/bench', type: 'bench' });
  return [
    get('/'),
    get('/health'),
    get('/ready'),
    get('/metrics', keys.scrape),
    get('/openapi.json'),
    get('/docs'),
    get(`${list}?limit=20`),
    get(list),
    get(`${list}?skip=50000`),
    get(`${list}?skip=99900`),
    { name: `GET ${list}?skip={another each time}`, asks: PLACES.map(skip => ({ path: `${list}?skip=${skip}` })) },
    get(`${list}?skip=99900&cursor=1600000000000000.${NOBODY}`),
    get(`${list}?type=article`),
    get(`${list}?type=tool&skip=5000`),
    get(`${list}?q=postgresql`),
    get(`${list}?q=indices+rust`),
    get(`${list}?q=a`),
    get(`${list}?q=kubernetes&type=video`),
    get(`${list}?q=nothing+has+this`),
    { name: `GET ${list}?q={another each time}`, asks: PAIRS.map(q => ({ path: `${list}?q=${q}` })) },
    { name: `GET ${list}{id}`, asks: ids.map(id => ({ path: `${list}${id}` })) },
    { name: `GET ${list}{unknown id}`, asks: [{ path: list + NOBODY }] },
    { name: `POST ${list}`, asks: [{ method: 'POST', path: list, headers: keys.user, body }] },
    { name: 'POST /api/v1/auth/token', asks: [login()] },
  ];
}

/** Too many, and too far from each other, for any of them to be remembered until it comes again. */
const PLACES = Array.from({ length: 2_000 }, (_, n) => (n * 61_803) % 100_000);

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];
/** Beginnings of words: of none, of few and of nearly every resource. */
const PAIRS = LETTERS.flatMap(first => LETTERS.map(second => first + second));

const login = (): Ask => ({
  method: 'POST',
  path: '/api/v1/auth/token',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(LOGIN),
});

const FILTERS = 'start_date=2025-12-01&end_date=2026-11-20&proveedor=CO';

function dashboardRoutes({ keys }: Contenders): readonly Route[] {
  const page = (path: string): Route => ({ name: `GET ${path}`, asks: [{ path }] });
  const api = (path: string): Route => ({ name: `GET ${path}`, asks: [{ path, headers: keys.api }] });
  return [
    page('/'),
    page('/providers'),
    page('/analytics'),
    page(`/analytics?${FILTERS}`),
    page('/health'),
    page('/ready'),
    api('/metrics'),
    api('/api/summary'),
    api('/api/providers'),
    api('/api/stock-timeline?days=90'),
    api('/api/top-products?limit=100'),
    api(`/api/top-products?limit=100&${FILTERS}`),
    api('/api/trends?months=24'),
    api(`/api/trends?months=24&${FILTERS}`),
    api('/api/stock-by-provider?limit=100'),
    api('/api/weekly-sales?weeks=52'),
    api('/api/export/summary.csv'),
    api('/api/export/providers.csv'),
    api('/api/export/top-products.csv'),
  ];
}
