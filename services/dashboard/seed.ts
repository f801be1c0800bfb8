import type { Client } from 'pg';

const DAYS = 60;

/**
 * Sample rows for a demo: a small market with two months of orders up to today, always the same pattern. Does nothing
 * when there are providers already.
 */
export async function seed(client: Client): Promise<void> {
  await client.query('BEGIN');
  const { rows } = await client.query<{ empty: boolean }>('SELECT NOT EXISTS (SELECT FROM proveedores) AS empty');
  if (rows[0]?.empty) for (const statement of STATEMENTS) await client.query(statement);
  await client.query('COMMIT');
}

const STATEMENTS: readonly string[] = [
  `INSERT INTO proveedores (codigo, nombre) VALUES
     ('BC', 'Bodega Cedeira'), ('CO', 'Coca-Cola'), ('QU', 'Quilmes'), ('FA', 'Fargo'),
     ('LS', 'La Serenísima'), ('AR', 'Arcor'), ('MO', 'Molinos'), ('LI', 'Limpieza Sur')`,
  `INSERT INTO categorias (nombre) VALUES ('Bebidas'), ('Panificados'), ('Lácteos'), ('Golosinas'), ('Almacén'), ('Limpieza')`,
  // four products for each provider; every seventh is under its minimum
  `INSERT INTO productos (codigo, nombre, categoria_id, proveedor_id, stock_actual, stock_minimo)
     SELECT format('P%s', lpad(((p.id - 1) * 4 + n)::text, 3, '0')), format('%s %s', p.nombre, n),
            (p.id - 1) % 6 + 1, p.id, CASE WHEN ((p.id - 1) * 4 + n) % 7 = 0 THEN 3 ELSE 20 + p.id * n END, 10
     FROM proveedores p CROSS JOIN generate_series(1, 4) AS n ORDER BY p.id, n`,
  // between one and three orders a day, the first providers more often
  `INSERT INTO pedidos (proveedor_id, fecha_pedido, estado)
     SELECT (day * 5 + n * n) % (3 + day % 6) + 1, now() - make_interval(days => day, hours => n),
            CASE WHEN day < 3 THEN 'pendiente' ELSE 'recibido' END
     FROM generate_series(0, ${DAYS - 1}) AS day CROSS JOIN LATERAL generate_series(1, 1 + day % 3) AS n ORDER BY day DESC, n`,
  `INSERT INTO detalle_pedidos (pedido_id, producto_id, cantidad)
     SELECT o.id, (o.proveedor_id - 1) * 4 + n, 1 + (o.id * n) % 12
     FROM pedidos o CROSS JOIN LATERAL generate_series(1, 1 + o.id % 3) AS n`,
  // both vocabularies of the market's history
  `INSERT INTO movimientos_stock (producto_id, tipo, cantidad, fecha)
     SELECT 1 + (day * 3 + n) % 32,
            CASE WHEN day > 30 THEN (ARRAY['entrada', 'salida'])[1 + n % 2] ELSE (ARRAY['ingreso', 'egreso'])[1 + n % 2] END,
            1 + (day + n) % 9, now() - make_interval(days => day, hours => n)
     FROM generate_series(0, ${DAYS - 1}) AS day CROSS JOIN generate_series(1, 4) AS n`,
  `INSERT INTO facturas_ocr (proveedor_id, archivo, estado, creada_en)
     SELECT 1 + n % 8, format('factura-%s.pdf', lpad(n::text, 3, '0')),
            (ARRAY['procesado', 'procesado', 'procesado', 'pendiente', 'error'])[1 + n % 5], now() - make_interval(days => n)
     FROM generate_series(1, 40) AS n`,
  `INSERT INTO configuracion_sistema (clave, valor) VALUES ('moneda', 'ARS'), ('zona_horaria', 'America/Argentina/Buenos_Aires')`,
];
