// What a person and a script do with the two services, in the images as they are built: a fault that only a bundle has is
// met here first. For a scenario that has both of them in its namespace.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { kubectl } from '../cluster/cluster.ts';
import { sql } from './namespace.ts';
import { apiKey, scrapeToken } from './traffic.ts';
import { type Heard, linksOf, type Method, unanswered, type Visitor, visit } from './visitor.ts';
import { until } from './wait.ts';

const JSON_TYPE = 'application/json';
const CSV_TYPE = 'text/csv';

/** The types of the files that pages load, by their ending. */
const FILE_TYPES: Readonly<Record<string, string>> = {
  css: 'text/css',
  csv: CSV_TYPE,
  js: 'text/javascript',
  svg: 'image/svg+xml',
  json: JSON_TYPE,
};

const typeOf = (link: string): string => {
  const [, ending = ''] = /\.(\w+)(?:\?|$)/.exec(link) ?? [];
  return FILE_TYPES[ending] ?? 'text/html';
};

/** Where a page's links lead, and what they should. */
async function followed({ ask }: Visitor, page: Heard) {
  const links = linksOf(page.body);
  const heard = await Promise.all(links.map(link => ask('GET', link)));
  return {
    links,
    led: heard.map(({ status, type }, i) => `${links[i]} ${status} ${type}`),
    should: links.map(link => `${link} 200 ${typeOf(link)}`),
  };
}

/** Runs a program of a service's image beside the one that serves. */
const inPod = (namespace: string, service: string, ...program: readonly string[]): Promise<string> =>
  kubectl(['exec', '-n', namespace, `deployment/${service}`, '--', ...program]);

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

/** From an empty database to a library with a few users. */
export const testDevShelf = (namespace: string): void =>
  describe('at DevShelf', () => {
    const AUTH = '/api/v1/auth';
    const RESOURCES = '/api/v1/resources/';
    const ana = { username: 'ana', email: 'ana@example.org', password: 'a kettle on the shelf' };
    const carla = { username: 'carla', email: 'carla@example.org', password: 'seven green umbrellas' };
    const refused = { status: 401, type: JSON_TYPE, body: { detail: 'Incorrect credentials' } };

    let shelf: Visitor;
    beforeAll(async () => {
      shelf = await visit(namespace, 'devshelf');
    });

    const register = (account: object) => shelf.ask('POST', `${AUTH}/register`, { json: account });
    const logIn = (username: string, password: string) =>
      shelf.ask('POST', `${AUTH}/token`, { json: { username, password } });
    const tokenOf = async ({ username, password }: typeof ana): Promise<string> => {
      const { status, body } = await logIn(username, password);
      expect({ status, body }).toMatchObject({ status: 200, body: { token_type: 'bearer' } });
      return body.access_token;
    };
    const asked = (method: Method, path: string, token: string, json?: unknown) =>
      shelf.ask(method, path, { ...bearer(token), ...(json !== undefined && { json }) });
    const isLoggedIn = async (token: string) => (await asked('GET', `${AUTH}/sessions`, token)).status === 200;

    test('somebody registers, once under each name and address, and with no password that is tried first', async () => {
      const { password, ...shown } = ana;
      expect(await register(ana)).toMatchObject({ status: 201, type: JSON_TYPE, body: { ...shown, is_active: true } });
      expect(await register({ ...ana, email: 'other@example.org' })).toMatchObject({
        status: 400,
        body: { detail: 'Username already registered' },
      });
      expect(await register({ ...ana, username: 'other' })).toMatchObject({
        status: 400,
        body: { detail: 'Email already registered' },
      });
      const guessed = { username: 'bruno', email: 'bruno@example.org', password: 'qwertyuiop' };
      expect(await register(guessed)).toMatchObject({
        status: 422,
        body: { detail: [{ loc: ['body', 'password'], msg: expect.stringContaining('tried first') }] },
      });
      expect(await logIn(guessed.username, guessed.password)).toMatchObject(refused);
    });

    test('a wrong password and an unknown name are refused alike; the right one gives a token, also to a form', async () => {
      expect(await logIn(ana.username, 'a kettle on the stove')).toMatchObject(refused);
      expect(await logIn('nobody', ana.password)).toMatchObject(refused);
      const { username, password } = ana;
      const form = { grant_type: 'password', username, password };
      const granted = await shelf.ask('POST', `${AUTH}/token`, { form });
      expect(granted).toMatchObject({ status: 200, type: JSON_TYPE, body: { token_type: 'bearer', expires_in: 900 } });
      expect(await isLoggedIn(granted.body.access_token)).toBe(true);
      expect(await isLoggedIn(await tokenOf(ana))).toBe(true);
    });

    test('a resource is added by who has a token, found by everybody, changed and deleted by its owner', async () => {
      const token = await tokenOf(ana);
      const guide = { title: 'Guía de grafos', description: 'con dibujos', url: 'https://Example.com', type: 'guide' };
      const nobody = await shelf.ask('POST', RESOURCES, { json: guide });
      expect(nobody).toMatchObject({ status: 401, type: JSON_TYPE, body: { detail: 'Not authenticated' } });
      expect(nobody.headers['www-authenticate']).toBe('Bearer');
      expect((await asked('POST', RESOURCES, `${token}x`, guide)).status).toBe(401);
      expect((await asked('POST', RESOURCES, token, { ...guide, url: 'ftp://example.com' })).status).toBe(422);

      const added = await asked('POST', RESOURCES, token, guide);
      const expected = { ...guide, url: 'https://example.com/' };
      expect(added).toMatchObject({ status: 201, type: JSON_TYPE, body: expected });
      const one = RESOURCES + added.body.id;
      expect(await shelf.ask('GET', one)).toMatchObject({ status: 200, type: JSON_TYPE, body: added.body });
      expect((await shelf.ask('GET', RESOURCES)).body).toEqual([added.body]);
      expect((await shelf.ask('GET', `${RESOURCES}?type=guide`)).body).toEqual([added.body]);
      expect((await shelf.ask('GET', `${RESOURCES}?type=video`)).body).toEqual([]);
      // what another pod has found is remembered there for a second
      const finds = async (words: string, ids: readonly string[]) =>
        until(`“${words}” to find ${ids.length}`, async () => {
          const { status, body } = await shelf.ask('GET', `${RESOURCES}?q=${encodeURIComponent(words)}`);
          expect(status).toBe(200);
          return JSON.stringify(body.map(({ id }: { id: string }) => id)) === JSON.stringify(ids);
        });
      await finds('guia graf', [added.body.id]);
      await finds('cooking', []);

      await register(carla);
      const hers = await tokenOf(carla);
      const change = { title: 'Guía de árboles' };
      expect((await shelf.ask('PUT', one, { json: change })).status).toBe(401);
      expect((await asked('PUT', one, hers, change)).status).toBe(403);
      expect(await asked('PUT', one, token, change)).toMatchObject({ status: 200, body: { ...added.body, ...change } });
      await finds('arboles', [added.body.id]);

      expect((await shelf.ask('DELETE', one)).status).toBe(401);
      expect((await asked('DELETE', one, hers)).status).toBe(403);
      expect((await asked('DELETE', one, token)).status).toBe(204);
      expect(await shelf.ask('GET', one)).toMatchObject({ status: 404, body: { detail: 'Resource not found' } });
      expect((await shelf.ask('GET', RESOURCES)).body).toEqual([]);
    });

    test('the worker looks at the link of what was added', async () => {
      const inside = { title: 'A router', url: 'http://10.0.0.1/', type: 'page' };
      const { body } = await asked('POST', RESOURCES, await tokenOf(ana), inside);
      const fault = `SELECT link_error FROM resources WHERE id = '${body.id}'`;
      await until('the worker to say why it asks no such address', async () => {
        return (await sql(namespace, fault, 'devshelf')) === 'not_public';
      });
    });

    test('a session goes on by its refresh token, which is good for one use, and ends by logging out', async () => {
      const refresh = (token: string) => shelf.ask('POST', `${AUTH}/refresh`, { json: { refresh_token: token } });
      const first = (await logIn(ana.username, ana.password)).body;
      const second = await refresh(first.refresh_token);
      expect(second).toMatchObject({ status: 200, body: { token_type: 'bearer' } });
      expect(await isLoggedIn(second.body.access_token)).toBe(true);
      expect(await refresh(first.refresh_token)).toMatchObject({
        status: 401,
        body: { detail: 'Invalid refresh token' },
      });
      expect(await isLoggedIn(second.body.access_token)).toBe(false);

      const token = await tokenOf(ana);
      expect((await asked('POST', `${AUTH}/logout`, token)).status).toBe(204);
      expect(await isLoggedIn(token)).toBe(false);
      const revoked = await tokenOf(ana);
      expect((await shelf.ask('POST', `${AUTH}/revoke`, { form: { token: revoked } })).status).toBe(200);
      expect(await isLoggedIn(revoked)).toBe(false);
    });

    test('a new password ends every other session; one that is lost is replaced by who runs the service', async () => {
      const [mine, elsewhere] = [await tokenOf(carla), await tokenOf(carla)];
      const change = (current: string, wanted: string) =>
        asked('POST', `${AUTH}/password`, mine, { current_password: current, new_password: wanted });
      const wanted = 'eight blue umbrellas';
      expect((await change('nine red umbrellas', wanted)).status).toBe(403);
      expect((await change(carla.password, 'qwertyuiop')).status).toBe(422);
      expect((await change(carla.password, wanted)).status).toBe(204);
      expect(await isLoggedIn(elsewhere)).toBe(false);
      expect(await logIn(carla.username, carla.password)).toMatchObject(refused);
      const { body } = await asked('GET', `${AUTH}/sessions`, mine);
      expect(body).toMatchObject([{ current: true }]);
      expect((await asked('DELETE', `${AUTH}/sessions/${body[0].id}`, mine)).status).toBe(204);
      expect(await isLoggedIn(mine)).toBe(false);

      const again = await tokenOf({ ...carla, password: wanted });
      const password = (await inPod(namespace, 'devshelf', 'reset-password', carla.username)).trim();
      expect(await isLoggedIn(again)).toBe(false);
      expect(await isLoggedIn(await tokenOf({ ...carla, password }))).toBe(true);
    });

    test('its signs are there for monitors, its documents for people and programs, and each route was answered', async () => {
      const message = '¡Bienvenido a la API de la Biblioteca de Recursos para Programadores!';
      expect(await shelf.ask('GET', '/')).toMatchObject({ status: 200, type: JSON_TYPE, body: { message } });
      expect(await shelf.ask('GET', '/health')).toMatchObject({ status: 200, body: { status: 'healthy' } });
      expect(await shelf.ask('GET', '/live')).toMatchObject({ status: 200, body: { status: 'alive' } });
      expect(await shelf.ask('GET', '/ready')).toMatchObject({
        status: 200,
        type: JSON_TYPE,
        body: { status: 'ready', dependencies: { database: 'ok', redis: 'ok' } },
      });
      expect((await shelf.ask('GET', '/metrics')).status).toBe(401);
      const scraper = bearer(await scrapeToken(namespace, 'devshelf'));
      expect(await shelf.ask('GET', '/metrics', scraper)).toMatchObject({
        status: 200,
        type: 'text/plain',
        body: expect.stringMatching(/^http_requests_total\{/m),
      });
      expect(await shelf.ask('GET', '/recent-requests', scraper)).toMatchObject({ status: 200, type: JSON_TYPE });

      const page = await shelf.ask('GET', '/docs');
      expect(page).toMatchObject({ status: 200, type: 'text/html' });
      const { links, led, should } = await followed(shelf, page);
      expect(led).toEqual(should);
      expect(links).toEqual(expect.arrayContaining(['/docs/swagger-ui-bundle.js', '/openapi.json']));
      const document = await shelf.ask('GET', '/openapi.json');
      expect(document).toMatchObject({ status: 200, type: JSON_TYPE, body: { openapi: '3.1.0' } });
      expect(unanswered(document.body, shelf.answered)).toEqual([]);
    });
  });

const SUMMARY_COLUMNS =
  'total_proveedores,total_pedidos,total_productos_pedidos,total_movimientos,facturas_procesadas,pedidos_mes,movimientos_semana,proveedor_top_nombre,proveedor_top_pedidos';

/** Over a small market with a history. */
export const testDashboard = (namespace: string): void =>
  describe('at the dashboard', () => {
    let market: Visitor;
    let key: Readonly<Record<string, string>>;

    beforeAll(async () => {
      market = await visit(namespace, 'dashboard');
      // an overlay of the story says which one it is: this is the product
      expect((await market.ask('GET', '/live')).headers).not.toHaveProperty('x-release');
      key = { 'x-api-key': await apiKey(namespace, 'dashboard') };
      expect(await inPod(namespace, 'dashboard', 'migrate', 'seed', '--movements', '800')).toContain('seeded');
    });

    const figures = (path: string) => market.ask('GET', path, { headers: key });

    test.each([
      ['/', 'Resumen'],
      ['/providers', 'Proveedores'],
      ['/analytics', 'Analítica'],
    ])('the page %s is there, with all that it loads and leads to', async (path, title) => {
      const page = await market.ask('GET', path);
      expect(page).toMatchObject({ status: 200, type: 'text/html', body: expect.stringMatching(`<title>${title}`) });
      const { links, led, should } = await followed(market, page);
      expect(led).toEqual(should);
      const loaded = links.filter(link => link.startsWith('/static/')).map(typeOf);
      expect(loaded.sort()).toEqual(['image/svg+xml', 'text/css', 'text/javascript']);
    });

    test('its figures are told to who has the key', async () => {
      const { body: summary } = await figures('/api/summary');
      expect(summary).toMatchObject({
        total_movimientos: 800,
        proveedor_top: { nombre: expect.any(String), pedidos: expect.any(Number) },
      });
      expect(summary.total_proveedores).toBeGreaterThan(0);
      expect(summary.total_pedidos).toBeGreaterThan(0);
      const { body: trends } = await figures('/api/trends?months=3');
      expect(trends.pedidos_mensuales[0]).toMatchObject({ mes: expect.stringMatching(/^\d{4}-\d\d$/) });
      expect(trends.movimientos_mensuales[0]).toMatchObject({ tipo: expect.any(String) });
    });

    test.each([
      ['/api/providers', ['codigo', 'nombre', 'total_pedidos', 'total_productos', 'pedidos_semana', 'pedidos_mes']],
      ['/api/stock-timeline?days=30', ['fecha', 'tipo', 'movimientos', 'productos']],
      ['/api/top-products?limit=5', ['producto', 'cantidad_total', 'pedidos', 'proveedor']],
      ['/api/stock-by-provider?limit=5', ['codigo', 'nombre', 'stock_total']],
      ['/api/weekly-sales?weeks=8', ['semana', 'pedidos', 'productos']],
    ])('%s is a list', async (path, fields) => {
      const { status, type, body } = await figures(path);
      expect({ status, type }).toEqual({ status: 200, type: JSON_TYPE });
      expect(Object.keys(body[0])).toEqual(fields);
    });

    test.each([
      ['summary', SUMMARY_COLUMNS],
      ['providers', 'codigo,nombre,total_pedidos,total_productos,pedidos_semana,pedidos_mes'],
      ['top-products', 'producto,cantidad_total,pedidos,proveedor'],
    ])('the export %s.csv has its columns, and a line for each figure', async (name, columns) => {
      const { status, type, body } = await figures(`/api/export/${name}.csv`);
      expect({ status, type }).toEqual({ status: 200, type: CSV_TYPE });
      const [header, ...lines] = body.trimEnd().split('\r\n');
      expect(header).toBe(columns);
      const { body: known } = await figures(`/api/${name}`);
      expect(lines).toHaveLength([known].flat().length);
    });

    test('its signs are there for monitors, nothing is told without a key, and each route was answered', async () => {
      expect(await market.ask('GET', '/health')).toMatchObject({
        status: 200,
        type: JSON_TYPE,
        body: { status: 'healthy', database: 'connected', services: { dashboard: 'ok', analytics: 'ok', api: 'ok' } },
      });
      expect(await market.ask('GET', '/live')).toMatchObject({ status: 200, body: { status: 'alive' } });
      expect(await market.ask('GET', '/ready')).toMatchObject({
        status: 200,
        type: JSON_TYPE,
        body: { status: 'ready', dependencies: { database: 'ok' } },
      });
      const measured = {
        status: 200,
        type: 'text/plain',
        body: expect.stringMatching(/^dashboard_requests_total \d+$/m),
      };
      expect(await figures('/metrics')).toMatchObject(measured);
      const scraper = bearer(await scrapeToken(namespace, 'dashboard'));
      expect(await market.ask('GET', '/metrics', scraper)).toMatchObject(measured);
      expect(await market.ask('GET', '/recent-requests', scraper)).toMatchObject({ status: 200, type: JSON_TYPE });

      const { status, type, body } = await market.ask('GET', '/openapi.json');
      expect({ status, type }).toEqual({ status: 200, type: JSON_TYPE });
      expect(unanswered(body, market.answered)).toEqual([]);
      const keyed = Object.keys(body.paths).filter(path => path.startsWith('/api/'));
      expect(keyed).toHaveLength(10);
      for (const path of [...keyed, '/metrics']) {
        expect(await market.ask('GET', path)).toMatchObject({ status: 401, body: { detail: 'API key requerida' } });
        const wrong = await market.ask('GET', path, { headers: { 'x-api-key': 'wrong' } });
        expect(wrong).toMatchObject({ status: 401, body: { detail: 'API key inválida' } });
      }
    });
  });
