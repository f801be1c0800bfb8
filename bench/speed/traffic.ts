import { API_KEY, LOGIN } from './contenders.ts';
import type { Ask } from './load.ts';
import type { Running } from './servers.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const LIST = '/api/v1/resources/';

const bearer = (token: string) => ({ ...JSON_TYPE, authorization: `Bearer ${token}` });

// the worker refuses to look at this address, and says so at once
const resource = (title: string) => JSON.stringify({ title, url: 'http://127.0.0.1/bench', type: 'bench' });

const OWN = 10;

/** Ids of resources that belong to the token's user. */
export async function ownResources({ url }: Running, token: string): Promise<readonly string[]> {
  const made = Array.from({ length: OWN }, async (_, index) => {
    const response = await fetch(`${url}${LIST}`, {
      method: 'POST',
      headers: bearer(token),
      body: resource(`Own ${index}`),
    });
    if (response.status !== 201) throw new Error(`POST ${LIST} answered ${response.status}`);
    return ((await response.json()) as { id: string }).id;
  });
  return Promise.all(made);
}

/** How often each is asked in a hundred. */
type Mix = readonly (readonly [times: number, asks: readonly Ask[]])[];

/** Spread evenly, so that no second has more of one kind than the next. */
function spread(mix: Mix): readonly Ask[] {
  const placed = mix.flatMap(([times, asks], kind) =>
    Array.from({ length: times }, (_, index) => ({
      at: (index + 0.5) / times + kind * 1e-4,
      ask: asks[index % asks.length],
    })),
  );
  return placed.sort((left, right) => left.at - right.at).flatMap(({ ask }) => ask ?? []);
}

export function devshelfTraffic(token: string, own: readonly string[]): readonly Ask[] {
  const get = (...paths: readonly string[]): Ask[] => paths.map(path => ({ path }));
  const headers = bearer(token);
  return spread([
    [34, get(`${LIST}?limit=20`, `${LIST}?limit=20&skip=20`, `${LIST}?limit=20&skip=40`)],
    [8, get(`${LIST}?type=article&limit=20`, `${LIST}?type=video&limit=20&skip=200`)],
    [8, get(`${LIST}?q=postgresql&limit=20`, `${LIST}?q=kubernetes+redes`, `${LIST}?q=rust&type=book`)],
    [4, get(`${LIST}?skip=90000`, LIST)],
    [30, get(...own.map(id => `${LIST}${id}`))],
    [2, get(`${LIST}00000000-0000-4000-8000-000000000000`, `${LIST}?skip=abc`)],
    [3, [{ method: 'POST', path: LIST, headers, body: resource('Added under load') }]],
    [2, own.slice(0, 2).map(id => ({ method: 'PUT', path: `${LIST}${id}`, headers, body: '{"title":"Renamed"}' }))],
    [1, [{ method: 'POST', path: LIST, headers: JSON_TYPE, body: resource('Nobody') }]],
    [2, [login(LOGIN.password), login('wrong')]],
    [3, get('/', '/openapi.json', '/docs')],
    [3, get('/health', '/ready', '/live')],
  ]);
}

const login = (password: string): Ask => ({
  method: 'POST',
  path: '/api/v1/auth/token',
  headers: JSON_TYPE,
  body: JSON.stringify({ ...LOGIN, password }),
});

const PROVIDERS = ['BC', 'CO', 'LS', 'AR', 'QU', 'FA'];

export function dashboardTraffic(): readonly Ask[] {
  const page = (...paths: readonly string[]): Ask[] => paths.map(path => ({ path }));
  const api = (...paths: readonly string[]): Ask[] =>
    paths.map(path => ({ path: `/api/${path}`, headers: { 'x-api-key': API_KEY } }));
  const days = Array.from({ length: 28 }, (_, index) => `2026-10-${String(index + 1).padStart(2, '0')}`);
  return spread([
    [20, page('/')],
    [8, page('/providers')],
    [
      14,
      page(
        '/analytics',
        ...PROVIDERS.map(code => `/analytics?proveedor=${code}`),
        ...days.map(day => `/analytics?start_date=${day}`),
      ),
    ],
    [14, api('summary')],
    [8, api('providers')],
    [6, api('stock-timeline?days=7', 'stock-timeline?days=30', 'stock-timeline?days=90')],
    [8, api(...PROVIDERS.map(code => `top-products?limit=20&proveedor=${code}`), 'top-products')],
    [6, api('trends?months=12', ...PROVIDERS.map(code => `trends?proveedor=${code}`))],
    [3, api('stock-by-provider')],
    [3, api('weekly-sales?weeks=12', 'weekly-sales?weeks=52')],
    [4, api('export/summary.csv', 'export/providers.csv', 'export/top-products.csv')],
    [2, [{ path: '/api/summary' }, { path: '/nowhere' }]],
    [2, api('trends?months=abc', 'top-products?limit=5000')],
    [2, page('/health', '/ready')],
  ]);
}
