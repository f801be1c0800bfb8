import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterEach, expect, test } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';
import { answerErrors } from '../errors.ts';
import type { Figures } from '../figures.ts';
import { servePages } from './routes.ts';
import { figuresOf, market } from './testing.ts';

let app: FastifyInstance;
afterEach(() => app.close());

const NOW = new Date('2026-11-22T15:00:00Z');

function serve(change: Partial<Figures> = {}, now = () => NOW): FastifyInstance {
  app = fastify();
  answerErrors(app, { excuse: () => undefined });
  servePages(app, { figures: { ...figuresOf(market), ...change }, now });
  return app;
}

const PAGES = ['/', '/providers', '/analytics'];

test.each(PAGES)('%s is HTML in Spanish with nothing inline and nothing of another host', async url => {
  const { statusCode, headers, body } = await serve().inject(url);
  expect([statusCode, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
  expect(body).toContain('<html lang="es-AR">');
  expect(body).toContain('Datos del <time datetime="2026-11-22T15:00:00.000Z">22/11/2026, 12:00</time> h');
  expect(body).not.toMatch(/<script(?![^>]* src="\/static\/)|<style|\sstyle=|\son\w+=|https?:\/\//);
  expect(body).toContain(`<a href="${url}" aria-current="page">`);
});

test.each(PAGES)('%s is not sent again while it is the same', async url => {
  serve();
  const first = await app.inject(url);
  expect(first.headers['cache-control']).toBe('no-cache');
  const etag = String(first.headers['etag']);
  const second = await app.inject({ url, headers: { 'if-none-match': `"x", ${etag}` } });
  expect([second.statusCode, second.body, second.headers['etag']]).toEqual([304, '', etag]);
});

test('new figures make a new page', async () => {
  let summary = market.summary;
  serve({ summary: async () => summary });
  const before = await app.inject('/');
  summary = { ...summary, pedidos_mes: 4_711 };
  const after = await app.inject({ url: '/', headers: { 'if-none-match': String(before.headers['etag']) } });
  expect([after.statusCode, after.body.includes('4.711')]).toEqual([200, true]);
});

test('a new day makes a new page, though the figures are the same', async () => {
  let now = NOW;
  serve({}, () => now);
  expect((await app.inject('/')).body).toContain('lunes 16/11/2026');
  now = new Date('2026-11-23T15:00:00Z');
  expect((await app.inject('/')).body).not.toContain('lunes 16/11/2026');
});

test.each([
  ['br, gzip', 'br', brotliDecompressSync],
  ['gzip;q=0.5', 'gzip', gunzipSync],
  ['br;q=0, gzip', 'gzip', gunzipSync],
] as const)('for a client that takes %s the page is packed as %s', async (accepted, encoding, unpack) => {
  serve();
  const plain = await app.inject('/');
  const packed = await app.inject({ url: '/', headers: { 'accept-encoding': accepted } });
  expect(plain.headers['content-encoding']).toBeUndefined();
  expect([packed.headers['content-encoding'], packed.headers['vary']]).toEqual([encoding, 'Accept-Encoding']);
  expect(unpack(packed.rawPayload).toString()).toBe(plain.body);
  expect(packed.rawPayload.length).toBeLessThan(plain.rawPayload.length / 2);
});

test.each([...PAGES, '/analytics/export/summary.csv', '/analytics/export/top-products.csv'])(
  'figures that cannot be read: %s is a page with status 500 and without the cause',
  async url => {
    const fails = async () => {
      throw new Error('connect ECONNREFUSED 10.0.0.1');
    };
    serve({ summary: fails, providers: fails, topProducts: fails });
    const { statusCode, headers, body } = await app.inject(url);
    expect([statusCode, headers['content-type'], headers['cache-control']]).toEqual([
      500,
      'text/html; charset=utf-8',
      'no-store',
    ]);
    expect(body).toContain('No pudimos leer los datos');
    expect(body).not.toContain('ECONNREFUSED');
    expect(body).toMatch(/<code>[\w-]+<\/code>/);
  },
);

test('static files are kept for good under their own name, and only for now under another version’s', async () => {
  serve();
  const { body } = await app.inject('/');
  const paths = [...body.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map(([, path = '']) => path);
  expect(paths.map(path => path.split('.').at(-1)).sort()).toEqual(['css', 'js', 'svg']);
  for (const path of paths) {
    const own = await app.inject(path);
    expect([own.statusCode, own.headers['cache-control']]).toEqual([200, 'public, max-age=31536000, immutable']);
    const other = await app.inject(path.replace(/[0-9a-f]{12}/, '0123456789ab'));
    expect([other.statusCode, other.headers['cache-control'], other.body]).toEqual([200, 'no-cache', own.body]);
  }
  expect((await app.inject('/static/dashboard.css')).statusCode).toBe(404);
});

test('all that a first visit loads is small', async () => {
  serve();
  const { body } = await app.inject('/');
  const paths = ['/', ...[...body.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map(([, path = '']) => path)];
  const headers = { 'accept-encoding': 'br' };
  const sizes = await Promise.all(paths.map(async url => (await app.inject({ url, headers })).rawPayload.length));
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(40_000);
});

test('the downloads are CSV files for spreadsheets, with the filters of the page and without a key', async () => {
  const asked: unknown[] = [];
  serve({
    topProducts: async query => {
      asked.push(query);
      return market.topProducts;
    },
  });
  const { headers, body } = await app.inject(
    '/analytics/export/top-products.csv?proveedor=AR&start_date=2026-01-01&end_date=x',
  );
  expect(asked).toEqual([{ proveedor: 'AR', startDate: '2026-01-01', limit: 1_000 }]);
  expect(headers).toMatchObject({
    'content-type': 'text/csv; charset=utf-8',
    'content-disposition': 'attachment; filename="productos.csv"',
  });
  expect(body).toBe('\uFEFFproducto,cantidad_total,pedidos,proveedor\r\nYerba,300,30,Arcor\r\nPan,200,25,Ánimo\r\n');
  expect((await app.inject('/analytics/export/summary.csv')).body).toContain('proveedor_top_nombre');
  expect((await app.inject('/analytics/export/providers.csv')).body).toContain('\r\nAR,Arcor,900,');
});
