// What wrote the original's tables goes on, by their own names.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runMigrate } from '../common/migrate/testing.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;
const VIEWS = readFileSync(new URL('prisma/original.sql', import.meta.url), 'utf8');

let postgres: TestPostgres;
let ours: string;
let writer: string;
beforeAll(async () => {
  postgres = await startPostgres();
  ours = await postgres.createDatabase('dashboard');
  await runMigrate(['up'], { DATABASE_URL: ours, MIGRATIONS_DIR });
  for (let time = 0; time < 2; time += 1) await query(ours, VIEWS);
  await query(ours, 'CREATE ROLE writer LOGIN');
  await query(ours, 'ALTER ROLE writer SET search_path = original');
  await query(ours, 'GRANT USAGE ON SCHEMA original TO writer');
  await query(ours, 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA original TO writer');
  await query(ours, 'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO writer');
  writer = ours.replace('postgres@', 'writer@');
}, 60_000);
afterAll(() => postgres?.remove());

/** By the original's names, with no right on our tables. */
const write = (sql: string) => query(writer, sql);

test('rows that are written by the old names are ours, and are counted', async () => {
  await write("INSERT INTO proveedores (codigo, nombre, activo) VALUES ('A', 'Arcor', true)");
  await write("INSERT INTO categorias (nombre) VALUES ('Almacén')");
  const made = await write(`INSERT INTO productos (nombre, codigo_barras, proveedor_id, stock_actual)
    VALUES ('Yerba', '779', 1, 5), ('Pan', NULL, 1, 2) RETURNING id, codigo_barras, stock_minimo`);
  expect(made).toEqual([
    { id: 1, codigo_barras: '779', stock_minimo: 0 },
    { id: 2, codigo_barras: 'P2', stock_minimo: 0 },
  ]);
  await write('INSERT INTO pedidos (proveedor_id) VALUES (1)');
  await write(
    "INSERT INTO detalle_pedidos (pedido_id, producto_nombre, cantidad) VALUES (1, 'Yerba', 3), (1, 'Mate', 4)",
  );
  await write("INSERT INTO movimientos_stock (producto_id, tipo_movimiento, cantidad) VALUES (1, 'ingreso', 5)");
  await write("INSERT INTO facturas_ocr (numero_factura, procesado) VALUES ('F-1', true), ('F-2', false)");
  await write(
    "INSERT INTO configuracion_sistema (clave, valor, fecha_modificacion) VALUES ('k', 'v', now()) ON CONFLICT (clave) DO UPDATE SET valor = 'w'",
  );
  await write(
    "INSERT INTO configuracion_sistema (clave, valor) VALUES ('k', 'v') ON CONFLICT (clave) DO UPDATE SET valor = 'w'",
  );
  expect(await query(ours, 'SELECT codigo, nombre, proveedor_id FROM productos ORDER BY id')).toEqual([
    { codigo: '779', nombre: 'Yerba', proveedor_id: 1 },
    { codigo: 'P2', nombre: 'Pan', proveedor_id: 1 },
    { codigo: 'P3', nombre: 'Mate', proveedor_id: 1 },
  ]);
  expect(
    await query(
      ours,
      'SELECT sum(pedidos)::int AS pedidos, sum(productos)::int AS productos FROM figuras_pedidos WHERE NOT es_mes',
    ),
  ).toEqual([{ pedidos: 1, productos: 7 }]);
  expect(await query(ours, 'SELECT archivo, estado FROM facturas_ocr ORDER BY id')).toEqual([
    { archivo: 'F-1', estado: 'procesado' },
    { archivo: 'F-2', estado: 'pendiente' },
  ]);
  expect(await query(ours, 'SELECT valor FROM configuracion_sistema')).toEqual([{ valor: 'w' }]);
});

test('they are changed and deleted by the old names, too', async () => {
  await write("UPDATE detalle_pedidos SET producto_nombre = 'Pan', cantidad = 1 WHERE producto_nombre = 'Mate'");
  await write("UPDATE facturas_ocr SET procesado = true WHERE numero_factura = 'F-2'");
  await write("DELETE FROM facturas_ocr WHERE numero_factura = 'F-1'");
  await write("UPDATE productos SET stock_actual = 9 WHERE codigo_barras = '779'");
  await write("UPDATE proveedores SET fecha_registro = '2026-01-02' WHERE codigo = 'A'");
  expect(await write('SELECT producto_nombre, cantidad FROM detalle_pedidos ORDER BY id')).toEqual([
    { producto_nombre: 'Yerba', cantidad: 3 },
    { producto_nombre: 'Pan', cantidad: 1 },
  ]);
  expect(await query(ours, 'SELECT archivo, estado FROM facturas_ocr')).toEqual([
    { archivo: 'F-2', estado: 'procesado' },
  ]);
  expect(await query(ours, 'SELECT stock_actual FROM productos WHERE id = 1')).toEqual([{ stock_actual: 9 }]);
  await write('DELETE FROM detalle_pedidos WHERE pedido_id = 1');
  await write('DELETE FROM pedidos');
  expect(
    await query(
      ours,
      'SELECT sum(pedidos)::int AS pedidos, sum(productos)::int AS productos FROM figuras_pedidos WHERE NOT es_mes',
    ),
  ).toEqual([{ pedidos: 0, productos: 0 }]);
});

test('the views stand in the way of no migration that is undone and applied again', async () => {
  expect(await runMigrate(['down'], { DATABASE_URL: ours, MIGRATIONS_DIR })).toMatchObject({ result: 'reverted' });
  expect(await runMigrate(['up'], { DATABASE_URL: ours, MIGRATIONS_DIR })).toMatchObject({ result: 'up to date' });
});
