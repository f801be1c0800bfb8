import { expect, test } from '@jest/globals';
import { type AnalyticsFigures, analyticsBody, tablePage } from './analytics.ts';
import { emptyMarket, market } from './testing.ts';

const body = (change: Partial<AnalyticsFigures> = {}, from = market): string =>
  analyticsBody({
    today: '2026-11-22',
    filters: {},
    ignored: [],
    page: tablePage(1, from.countTopProducts),
    top: from.topProducts,
    products: from.topProducts,
    trends: from.trends,
    providers: from.providers,
    ...change,
  }).text;

const months = (text: string) =>
  [
    ...(text.split('id="pedidos-mensuales"')[1] ?? '')
      .split('</section>', 1)
      .join()
      .matchAll(/data-short="([^"]+)"/g),
  ].map(([, short]) => short);

test('without dates the last six months are drawn, empty ones too', () => {
  const text = body();
  expect(months(text)).toEqual(['jun 26', 'jul 26', 'ago 26', 'sep 26', 'oct 26', 'nov 26*']);
  expect(text).toContain('45 pedidos en 6 meses; * en curso');
  expect(text).toContain('0 entradas y 33 salidas en 6 meses; * en curso');
  expect(text).toContain('noviembre de 2026, en curso');
});

test.each([
  ['from a day on', { startDate: '2026-10-15' }, ['oct 26', 'nov 26*']],
  ['up to a day', { endDate: '2026-03-31' }, ['oct 25', 'nov 25', 'dic 25', 'ene 26', 'feb 26', 'mar 26']],
  ['between two days', { startDate: '2025-12-31', endDate: '2026-01-01' }, ['dic 25', 'ene 26']],
  ['into the future', { startDate: '2026-11-01', endDate: '2027-05-01' }, ['nov 26*']],
])('months %s', (_case, filters, wanted) => {
  const trends = {
    pedidos_mensuales: wanted.length > 0 ? [{ mes: '2026-11', pedidos: 1, proveedores_activos: 1 }] : [],
    movimientos_mensuales: [],
  };
  const all = ['2025-12', '2026-01', '2026-03'].map(mes => ({ mes, pedidos: 1, proveedores_activos: 1 }));
  expect(
    months(body({ filters, trends: { ...trends, pedidos_mensuales: [...trends.pedidos_mensuales, ...all] } })),
  ).toEqual(wanted);
});

test('months that are over are not marked', () => {
  expect(body({ filters: { endDate: '2026-03-31' } })).not.toContain('en curso');
});

test('a decade is cut to what a chart has room for', () => {
  expect(months(body({ filters: { startDate: '2016-01-01' } }))).toHaveLength(24);
});

test('the filters stay in the form, the downloads and the pages', () => {
  const filters = { startDate: '2026-01-01', endDate: '2026-11-22', proveedor: 'ZU' };
  const text = body({ filters, page: tablePage(2, 50) });
  expect(text).toContain('name="start_date" value="2026-01-01"');
  expect(text).toContain('name="end_date" value="2026-11-22"');
  expect(text).toContain('<option value="ZU" selected>Ánimo</option>');
  const query = 'start_date=2026-01-01&amp;end_date=2026-11-22&amp;proveedor=ZU';
  expect(text).toContain(`href="/analytics/export/top-products.csv?${query}"`);
  expect(text).toContain(`rel="prev" href="/analytics?${query}#detalle"`);
  expect(text).toContain(`rel="next" href="/analytics?${query}&amp;pagina=3#detalle"`);
  expect(text).toContain('50 productos pedidos del 01/01/2026 al 22/11/2026');
});

test('a provider that is not known stays chosen, so that one sees why there is nothing', () => {
  expect(body({ filters: { proveedor: 'x"y' } }, emptyMarket)).toContain('<option value="x&quot;y" selected>');
});

test.each([
  [1, 0, { current: 1, last: 1, rows: 0 }],
  [3, 41, { current: 3, last: 3, rows: 41 }],
  [4, 41, { current: 3, last: 3, rows: 41 }],
])('page %i of %i rows', (asked, rows, wanted) => {
  expect(tablePage(asked, rows)).toEqual(wanted);
});

test('ranks go on from page to page', () => {
  expect(body({ page: tablePage(2, 22) })).toMatch(/rank">21<.*Yerba/);
});

test('dates in the wrong order and dates that are none are said', () => {
  const text = body({ filters: { startDate: '2026-02-01', endDate: '2026-01-01' }, ignored: ['«x» no es una fecha'] });
  expect(text.match(/class="notice"/g)).toHaveLength(2);
});

test('nothing found offers to remove the filters', () => {
  expect(body({ filters: { proveedor: 'nadie' } }, emptyMarket)).toContain(
    '<a href="/analytics">Quitar los filtros</a>',
  );
  expect(body({}, emptyMarket)).not.toContain('Quitar los filtros');
  expect(body({}, emptyMarket)).toContain('Todavía no hay pedidos.');
});
