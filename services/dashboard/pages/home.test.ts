import { expect, test } from '@jest/globals';
import { homePage } from './home.ts';

const summary = {
  total_proveedores: 2,
  total_pedidos: 1_234,
  total_productos_pedidos: 5,
  total_movimientos: 6,
  facturas_procesadas: 7,
  pedidos_mes: 8,
  movimientos_semana: 9,
  proveedor_top: { nombre: '<b>Arcor & Cía</b>', pedidos: 3 },
};

test('names of the database are escaped and there is nothing inline', () => {
  const page = homePage({ summary, providers: [], alerts: [] });
  expect(page).toContain('&lt;b&gt;Arcor &amp; Cía&lt;/b&gt;');
  expect(page).not.toMatch(/<script|<style| style=| on\w+=/);
});

test('figures are written as its readers write them', () => {
  expect(homePage({ summary, providers: [], alerts: [] })).toContain('<strong>1.234</strong>');
});

test('an alert shows the stock beside the minimum', () => {
  const alerts = [{ codigo: 'P1', nombre: 'Yerba', stock: 3, minimo: 10 }];
  const page = homePage({ summary, providers: [], alerts });
  expect(page).toContain('<td>P1</td><td>Yerba</td><td>3</td><td>10</td>');
  expect(page).not.toContain('Ningún producto');
});
