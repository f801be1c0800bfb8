import { expect, test } from '@jest/globals';
import { csv } from './csv.ts';
import { errorCsv, providersCsv, summaryCsv, topProductsCsv } from './exports.ts';

const cellOf = (value: string | number) => csv(['h'], [[value]]).slice('h\r\n'.length, -'\r\n'.length);

test.each([
  ['plain', 'plain'],
  ['a,b', '"a,b"'],
  ['say "hi"', '"say ""hi"""'],
  ['two\nlines', '"two\nlines"'],
  ['=1+1', "'=1+1"],
  ['+54 11', "'+54 11"],
  ['-2', "'-2"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['＝1+1', "'＝1+1"],
  ['＋1', "'＋1"],
  ['－1', "'－1"],
  ['＠SUM(A1)', "'＠SUM(A1)"],
  ['\tx', "'\tx"],
  ['\r=1', '"\'\r=1"'],
  ['=HYPERLINK("http://x","y")', '"\'=HYPERLINK(""http://x"",""y"")"'],
  ['a=b', 'a=b'],
  ['', ''],
])('the cell %j is written %j', (value, written) => {
  expect(cellOf(value)).toBe(written);
});

test('a negative number stays a number', () => {
  expect(cellOf(-2)).toBe('-2');
});

test('the headers are those of today, and every line ends with CRLF', () => {
  const summary = {
    total_proveedores: 1,
    total_pedidos: 2,
    total_productos_pedidos: 3,
    total_movimientos: 4,
    facturas_procesadas: 5,
    pedidos_mes: 6,
    movimientos_semana: 7,
    proveedor_top: { nombre: 'Arcor, S.A.', pedidos: 8 },
  };
  expect(summaryCsv(summary)).toBe(
    'total_proveedores,total_pedidos,total_productos_pedidos,total_movimientos,facturas_procesadas,pedidos_mes,movimientos_semana,proveedor_top_nombre,proveedor_top_pedidos\r\n' +
      '1,2,3,4,5,6,7,"Arcor, S.A.",8\r\n',
  );
  const provider = {
    codigo: 'A',
    nombre: 'B',
    total_pedidos: 1,
    total_productos: 2,
    pedidos_semana: 3,
    pedidos_mes: 4,
  };
  expect(providersCsv([provider])).toBe(
    'codigo,nombre,total_pedidos,total_productos,pedidos_semana,pedidos_mes\r\nA,B,1,2,3,4\r\n',
  );
  const product = { producto: 'Yerba', cantidad_total: 1, pedidos: 2, proveedor: 'B' };
  expect(topProductsCsv([product])).toBe('producto,cantidad_total,pedidos,proveedor\r\nYerba,1,2,B\r\n');
  expect(topProductsCsv([])).toBe('producto,cantidad_total,pedidos,proveedor\r\n');
});

test('an error is a file, too', () => {
  expect(errorCsv('Error obteniendo, todo')).toBe('error,message\r\ntrue,"Error obteniendo, todo"\r\n');
});
