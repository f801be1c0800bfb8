import { expect, test } from '@jest/globals';
import { type HomeFigures, homeBody } from './home.ts';
import { emptyMarket, market } from './testing.ts';

const home = (change: Partial<HomeFigures> = {}, from = market): string => {
  const { summary, providers, stockAlerts: alerts, stockTimeline: activity, stockByProvider: stock } = from;
  return homeBody({
    today: '2026-11-22',
    summary,
    providers,
    alerts,
    activity,
    stock,
    sales: from.weeklySales,
    ...change,
  }).text;
};

const row = (text: string, label: string): string[] => {
  const found = text.split('<tr>').find(part => part.includes(`>${label}</th>`)) ?? '';
  return [...found.matchAll(/value="(-?\d+)"/g)].map(([, value = '']) => value);
};

test.each([
  ['Pedidos, 30 días', '81'],
  ['Movimientos, 7 días', '92'],
  ['Proveedores activos', '2'],
  ['Pedidos en total', '1.234'],
  ['Unidades pedidas', '5.001'],
  ['Movimientos de stock', '6.002'],
  ['Facturas procesadas', '7'],
])('the tile %s shows %s', (label, value) => {
  expect(home()).toContain(`<dt>${label}</dt><dd>${value}</dd>`);
});

test('the tile of the top provider names it with its orders', () => {
  expect(home()).toContain('<dd class="name" title="Arcor">Arcor</dd><dd class="note">31 pedidos en 30 días</dd>');
});

test('activity has every one of the seven days, and both vocabularies count', () => {
  const text = home();
  expect(text).toContain('7 entradas y 4 salidas');
  expect(row(text, 'domingo 22/11/2026')).toEqual(['7', '0']);
  expect(row(text, 'viernes 20/11/2026')).toEqual(['0', '4']);
  expect(row(text, 'lunes 16/11/2026')).toEqual(['0', '0']);
});

test('eight weeks, those without orders too', () => {
  const text = home();
  expect(row(text, 'semana del 16/11/2026, en curso')).toEqual(['14', '140']);
  expect(text).toContain('en 8 semanas; * en curso');
  expect(text.match(/en curso<\/th>/g)).toHaveLength(1);
  expect(row(text, 'semana del 28/09/2026')).toEqual(['0', '0']);
  expect(text.match(/semana del/g)).toHaveLength(8);
});

test('the five providers with most orders, whatever order they come in', () => {
  const providers = [1, 6, 2, 5, 3, 4].map(total_pedidos => ({
    ...(market.providers[0] as (typeof market.providers)[0]),
    nombre: `N${total_pedidos}`,
    total_pedidos,
  }));
  const text = home({ providers });
  expect([...text.matchAll(/data-short="(N\d)"/g)].map(([, name]) => name)).toEqual(['N6', 'N5', 'N4', 'N3', 'N2']);
});

test('an alert shows the stock beside the minimum and what is missing; nothing left is said in words', () => {
  expect(home()).toMatch(/Yerba <span class="code">P1<.*>3<\/td>.*>10<\/td>.*>7<\/td>/);
  expect(home()).toContain('1 producto por debajo de su mínimo');
  const none = home({ alerts: [{ codigo: 'P1', nombre: 'Yerba', stock: 0, minimo: 10 }] });
  expect(none).toContain('Sin stock');
});

test.each([
  [6, '6 productos', null],
  [7, '7 productos', 'Ver uno más'],
  [100, 'Al menos 100 productos', 'Ver 94 más'],
])('of %i alerts the worst six are seen at once', (length, counted, more) => {
  const alerts = Array.from({ length }, (_, index) => ({
    codigo: `P${index}`,
    nombre: `N${index}`,
    stock: 1,
    minimo: 2,
  }));
  const [, card = ''] = home({ alerts }).split('id="alertas"');
  const [seen = '', hidden = ''] = card.split('</section>', 1).join().split('<details>');
  expect(seen).toContain(`>${counted} por debajo`);
  expect(seen.match(/<th scope="row"/g)).toHaveLength(6);
  expect(hidden.match(/<summary>([^<]*)/)?.[1] ?? null).toBe(more);
});

test('an empty market says so, card by card', () => {
  const text = home({}, emptyMarket);
  expect(text.match(/class="empty"/g)).toHaveLength(5);
  expect(text).toContain('>Ninguno</dd>');
  expect(text).toContain('Primero van los proveedores');
  expect(home()).not.toContain('Primero van los proveedores');
  expect(text).not.toContain('data-kind');
});

test('names of the database are escaped', () => {
  const nombre = '<img src=x onerror=alert(1)>"';
  const text = home({
    summary: { ...market.summary, proveedor_top: { nombre, pedidos: 1 } },
    alerts: [{ codigo: nombre, nombre, stock: 1, minimo: 2 }],
    stock: [{ codigo: nombre, nombre, stock_total: 5 }],
  });
  expect(text).not.toContain('<img');
  expect(text).toContain('&lt;img src=x onerror=alert(1)&gt;&quot;');
});
