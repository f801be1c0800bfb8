import { expect, test } from '@jest/globals';
import { providerOrder, providersBody } from './providers.ts';
import { market } from './testing.ts';

const names = (text: string) => [...text.matchAll(/proveedor=\w+">([^<]+)</g)].map(([, name]) => name);

test.each([
  [undefined, ['Arcor', 'Ánimo'], 'Pedidos'],
  ['nombre', ['Ánimo', 'Arcor'], 'Proveedor'],
  ['pedidos_mes', ['Arcor', 'Ánimo'], '30 días'],
  ['pedidos_semana', ['Ánimo', 'Arcor'], '7 días'],
  ['total_productos', ['Arcor', 'Ánimo'], 'Unidades'],
  ['codigo; DROP TABLE', ['Arcor', 'Ánimo'], 'Pedidos'],
])('asked for the order %s', (asked, wanted, column) => {
  const text = providersBody(market.providers, providerOrder(asked), 1_234).text;
  expect(names(text)).toEqual(wanted);
  expect(text.match(/aria-sort="(a|de)scending"><a [^>]*>([^<]*)/)?.[2]?.trim()).toBe(column);
});

test('figures, their part and the totals', () => {
  const text = providersBody(market.providers, 'total_pedidos', 1_234).text;
  const cells = (label: string) =>
    [...(text.split('<tr>').find(row => row.includes(label)) ?? '').matchAll(/<td[^>]*>([^<]*)</g)].map(
      ([, cell]) => cell,
    );
  expect(cells('>Arcor<')).toEqual(['900', '31', '11', '4.000', '73%']);
  expect(cells('>Total<')).toEqual(['1.234', '53', '23', '5.001', '']);
});

test('without providers there is nothing to download or to order', () => {
  const text = providersBody([], 'nombre', 0).text;
  expect(text).toContain('Todavía no hay proveedores activos.');
  expect(text).not.toMatch(/<table|\.csv/);
});

test.each([
  [1_234, undefined],
  [1_235, '1 pedido más es de proveedores que ya no están activos.'],
  [1_258, '24 pedidos más son de proveedores que ya no están activos.'],
])('of %i orders in all, those of others are told', (orders, wanted) => {
  const { text } = providersBody(market.providers, 'total_pedidos', orders);
  expect(/<p class="note">([^<]*)</.exec(text)?.[1]).toBe(wanted);
});
