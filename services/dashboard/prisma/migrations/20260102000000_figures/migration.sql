-- Summary tables for the dashboard's figures: adding up a million rows at each request takes too long.
--
--   facts (pedidos, detalle_pedidos, movimientos_stock)
--     -> triggers append what changed to cambios_*       nothing is updated there, so writers never wait for each other
--     -> resumenes_plegar() folds it into resumen_*      the dashboard calls it every minute; nothing depends on when
--   figuras_*, which the queries read, are both together: exact in every snapshot, folded or not.
--
-- A row of resumen_* is a day's (es_mes false) or, beginning on its first day, a month's (es_mes true).

-- The market's day. The only place in the database that knows the time zone; after changing it: resumenes_rehacer().
CREATE FUNCTION mercado_dia(momento TIMESTAMPTZ) RETURNS DATE
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT (momento AT TIME ZONE 'America/Argentina/Buenos_Aires')::date $$;

CREATE TABLE "resumen_pedidos" (
    "es_mes" BOOLEAN NOT NULL,
    "periodo" DATE NOT NULL,
    "proveedor_id" INTEGER NOT NULL,
    "pedidos" BIGINT NOT NULL,
    "productos" BIGINT NOT NULL,

    CONSTRAINT "resumen_pedidos_pkey" PRIMARY KEY ("es_mes", "periodo", "proveedor_id")
);

CREATE TABLE "cambios_pedidos" (
    "dia" DATE NOT NULL,
    "proveedor_id" INTEGER NOT NULL,
    "pedidos" BIGINT NOT NULL,
    "productos" BIGINT NOT NULL
);

-- pedidos: how many orders hold the product
CREATE TABLE "resumen_productos" (
    "es_mes" BOOLEAN NOT NULL,
    "periodo" DATE NOT NULL,
    "proveedor_id" INTEGER NOT NULL,
    "producto_id" INTEGER NOT NULL,
    "cantidad" BIGINT NOT NULL,
    "pedidos" BIGINT NOT NULL,

    CONSTRAINT "resumen_productos_pkey" PRIMARY KEY ("es_mes", "periodo", "proveedor_id", "producto_id")
);

CREATE TABLE "cambios_productos" (
    "dia" DATE NOT NULL,
    "proveedor_id" INTEGER NOT NULL,
    "producto_id" INTEGER NOT NULL,
    "cantidad" BIGINT NOT NULL,
    "pedidos" BIGINT NOT NULL
);

-- proveedor_id: the product's provider of today, 0 where it has none
CREATE TABLE "resumen_movimientos" (
    "es_mes" BOOLEAN NOT NULL,
    "periodo" DATE NOT NULL,
    "proveedor_id" INTEGER NOT NULL,
    "tipo" VARCHAR(10) NOT NULL,
    "movimientos" BIGINT NOT NULL,
    "productos" BIGINT NOT NULL,

    CONSTRAINT "resumen_movimientos_pkey" PRIMARY KEY ("es_mes", "periodo", "proveedor_id", "tipo")
);

CREATE TABLE "cambios_movimientos" (
    "dia" DATE NOT NULL,
    "proveedor_id" INTEGER NOT NULL,
    "tipo" VARCHAR(10) NOT NULL,
    "movimientos" BIGINT NOT NULL,
    "productos" BIGINT NOT NULL
);

CREATE INDEX "facturas_ocr_procesadas_idx" ON "facturas_ocr"("id") WHERE "estado" = 'procesado';

CREATE VIEW figuras_pedidos AS
SELECT es_mes, periodo, proveedor_id, pedidos, productos FROM resumen_pedidos
UNION ALL
SELECT es_mes, CASE WHEN es_mes THEN date_trunc('month', dia::timestamp)::date ELSE dia END, proveedor_id, pedidos, productos
FROM cambios_pedidos CROSS JOIN (VALUES (false), (true)) AS grano(es_mes);

CREATE VIEW figuras_productos AS
SELECT es_mes, periodo, proveedor_id, producto_id, cantidad, pedidos FROM resumen_productos
UNION ALL
SELECT es_mes, CASE WHEN es_mes THEN date_trunc('month', dia::timestamp)::date ELSE dia END, proveedor_id, producto_id, cantidad, pedidos
FROM cambios_productos CROSS JOIN (VALUES (false), (true)) AS grano(es_mes);

CREATE VIEW figuras_movimientos AS
SELECT es_mes, periodo, proveedor_id, tipo, movimientos, productos FROM resumen_movimientos
UNION ALL
SELECT es_mes, CASE WHEN es_mes THEN date_trunc('month', dia::timestamp)::date ELSE dia END, proveedor_id, tipo, movimientos, productos
FROM cambios_movimientos CROSS JOIN (VALUES (false), (true)) AS grano(es_mes);

-- Folds the changes into the summaries. One at a time; a second caller returns at once.
CREATE FUNCTION resumenes_plegar() RETURNS VOID
LANGUAGE plpgsql
AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('resumenes_plegar')) THEN RETURN; END IF;

  WITH tomados AS (DELETE FROM cambios_pedidos RETURNING *)
  INSERT INTO resumen_pedidos AS r
  SELECT es_mes, CASE WHEN es_mes THEN date_trunc('month', dia::timestamp)::date ELSE dia END AS periodo, proveedor_id,
         sum(pedidos), sum(productos)
  FROM tomados CROSS JOIN (VALUES (false), (true)) AS grano(es_mes)
  GROUP BY es_mes, periodo, proveedor_id
  ON CONFLICT (es_mes, periodo, proveedor_id) DO UPDATE
  SET pedidos = r.pedidos + EXCLUDED.pedidos, productos = r.productos + EXCLUDED.productos;

  WITH tomados AS (DELETE FROM cambios_productos RETURNING *)
  INSERT INTO resumen_productos AS r
  SELECT es_mes, CASE WHEN es_mes THEN date_trunc('month', dia::timestamp)::date ELSE dia END AS periodo, proveedor_id, producto_id,
         sum(cantidad), sum(pedidos)
  FROM tomados CROSS JOIN (VALUES (false), (true)) AS grano(es_mes)
  GROUP BY es_mes, periodo, proveedor_id, producto_id
  ON CONFLICT (es_mes, periodo, proveedor_id, producto_id) DO UPDATE
  SET cantidad = r.cantidad + EXCLUDED.cantidad, pedidos = r.pedidos + EXCLUDED.pedidos;

  WITH tomados AS (DELETE FROM cambios_movimientos RETURNING *)
  INSERT INTO resumen_movimientos AS r
  SELECT es_mes, CASE WHEN es_mes THEN date_trunc('month', dia::timestamp)::date ELSE dia END AS periodo, proveedor_id, tipo,
         sum(movimientos), sum(productos)
  FROM tomados CROSS JOIN (VALUES (false), (true)) AS grano(es_mes)
  GROUP BY es_mes, periodo, proveedor_id, tipo
  ON CONFLICT (es_mes, periodo, proveedor_id, tipo) DO UPDATE
  SET movimientos = r.movimientos + EXCLUDED.movimientos, productos = r.productos + EXCLUDED.productos;
END
$$;

-- Counts everything anew from the facts: after the time zone changed, or after triggers were switched off.
CREATE FUNCTION resumenes_rehacer() RETURNS VOID
LANGUAGE plpgsql
AS $$
BEGIN
  LOCK TABLE proveedores, productos, pedidos, detalle_pedidos, movimientos_stock IN SHARE ROW EXCLUSIVE MODE;
  DELETE FROM cambios_pedidos;
  DELETE FROM cambios_productos;
  DELETE FROM cambios_movimientos;
  DELETE FROM resumen_pedidos;
  DELETE FROM resumen_productos;
  DELETE FROM resumen_movimientos;

  INSERT INTO cambios_pedidos
  SELECT mercado_dia(fecha_pedido) AS dia, proveedor_id, count(*), 0 FROM pedidos GROUP BY dia, proveedor_id;

  INSERT INTO cambios_productos
  SELECT mercado_dia(o.fecha_pedido) AS dia, o.proveedor_id, l.producto_id, sum(l.cantidad), count(DISTINCT l.pedido_id)
  FROM detalle_pedidos l JOIN pedidos o ON o.id = l.pedido_id GROUP BY dia, o.proveedor_id, l.producto_id;

  INSERT INTO cambios_pedidos
  SELECT dia, proveedor_id, 0, sum(cantidad) FROM cambios_productos GROUP BY dia, proveedor_id;

  INSERT INTO cambios_movimientos
  SELECT mercado_dia(m.fecha) AS dia, coalesce(p.proveedor_id, 0), m.tipo, count(*), sum(m.cantidad)
  FROM movimientos_stock m JOIN productos p ON p.id = m.producto_id GROUP BY dia, coalesce(p.proveedor_id, 0), m.tipo;

  PERFORM resumenes_plegar();
END
$$;

-- An order with its lines, once more or once less.
CREATE FUNCTION resumenes_contar_pedido(pedido INTEGER, dia DATE, proveedor INTEGER, signo INTEGER) RETURNS VOID
LANGUAGE sql
AS $$
  INSERT INTO cambios_pedidos
  SELECT dia, proveedor, signo, signo * coalesce(sum(cantidad), 0) FROM detalle_pedidos WHERE pedido_id = pedido;

  INSERT INTO cambios_productos
  SELECT dia, proveedor, producto_id, signo * sum(cantidad), signo FROM detalle_pedidos WHERE pedido_id = pedido
  GROUP BY producto_id;
$$;

CREATE FUNCTION resumenes_pedidos() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  CASE TG_OP
    WHEN 'INSERT' THEN
      INSERT INTO cambios_pedidos
      SELECT mercado_dia(fecha_pedido) AS dia, proveedor_id, count(*), 0 FROM nuevas GROUP BY dia, proveedor_id;
      RETURN NULL;
    WHEN 'UPDATE' THEN
      PERFORM resumenes_contar_pedido(OLD.id, mercado_dia(OLD.fecha_pedido), OLD.proveedor_id, -1);
      PERFORM resumenes_contar_pedido(NEW.id, mercado_dia(NEW.fecha_pedido), NEW.proveedor_id, 1);
      RETURN NULL;
    WHEN 'DELETE' THEN
      -- before, because its lines, which go by cascade, do not find their order's day any more
      PERFORM resumenes_contar_pedido(OLD.id, mercado_dia(OLD.fecha_pedido), OLD.proveedor_id, -1);
      RETURN OLD;
    ELSE
      DELETE FROM cambios_pedidos;
      DELETE FROM resumen_pedidos;
      DELETE FROM cambios_productos;
      DELETE FROM resumen_productos;
      RETURN NULL;
  END CASE;
END
$$;

-- Lines that came and went. Their orders are locked, so that neither their day nor their other lines change meanwhile;
-- the statement after the lock sees what was committed before it. An order holds a product once, however many lines.
CREATE FUNCTION resumenes_lineas() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  cambio TEXT := CASE TG_OP
    WHEN 'INSERT' THEN 'SELECT pedido_id, producto_id, cantidad, 1 AS signo FROM nuevas'
    WHEN 'DELETE' THEN 'SELECT pedido_id, producto_id, -cantidad AS cantidad, -1 AS signo FROM viejas'
    WHEN 'UPDATE' THEN 'SELECT pedido_id, producto_id, cantidad, 1 AS signo FROM nuevas
              UNION ALL SELECT pedido_id, producto_id, -cantidad, -1 FROM viejas'
  END;
BEGIN
  IF cambio IS NULL THEN
    DELETE FROM cambios_productos;
    DELETE FROM resumen_productos;
    UPDATE cambios_pedidos SET productos = 0;
    UPDATE resumen_pedidos SET productos = 0;
    RETURN NULL;
  END IF;

  EXECUTE format('SELECT 1 FROM pedidos WHERE id IN (SELECT pedido_id FROM (%s) AS cambio) ORDER BY id FOR NO KEY UPDATE', cambio);
  EXECUTE format($sql$
    WITH pares AS (
      SELECT pedido_id, producto_id, sum(cantidad) AS cantidad, sum(signo) AS lineas FROM (%s) AS cambio
      GROUP BY pedido_id, producto_id HAVING sum(cantidad) <> 0 OR sum(signo) <> 0
    ), contados AS (
      SELECT mercado_dia(o.fecha_pedido) AS dia, o.proveedor_id, p.producto_id, p.cantidad, p.lineas,
             (SELECT count(*) FROM detalle_pedidos l WHERE l.pedido_id = o.id AND l.producto_id = p.producto_id) AS quedan
      FROM pares p JOIN pedidos o ON o.id = p.pedido_id
    ), por_producto AS (
      INSERT INTO cambios_productos
      SELECT dia, proveedor_id, producto_id, sum(cantidad), sum((quedan > 0)::int - (quedan - lineas > 0)::int)
      FROM contados GROUP BY dia, proveedor_id, producto_id
      RETURNING dia, proveedor_id, cantidad
    )
    INSERT INTO cambios_pedidos
    SELECT dia, proveedor_id, 0, sum(cantidad) FROM por_producto GROUP BY dia, proveedor_id HAVING sum(cantidad) <> 0
  $sql$, cambio);
  RETURN NULL;
END
$$;

CREATE FUNCTION resumenes_movimientos() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
DECLARE
  cambio TEXT := CASE TG_OP
    WHEN 'INSERT' THEN 'SELECT producto_id, tipo, cantidad, fecha, 1 AS signo FROM nuevas'
    WHEN 'DELETE' THEN 'SELECT producto_id, tipo, -cantidad AS cantidad, fecha, -1 AS signo FROM viejas'
    WHEN 'UPDATE' THEN 'SELECT producto_id, tipo, cantidad, fecha, 1 AS signo FROM nuevas
              UNION ALL SELECT producto_id, tipo, -cantidad, fecha, -1 FROM viejas'
  END;
BEGIN
  IF cambio IS NULL THEN
    DELETE FROM cambios_movimientos;
    DELETE FROM resumen_movimientos;
    RETURN NULL;
  END IF;

  -- as the foreign key does: a product does not change its provider meanwhile
  EXECUTE format('SELECT 1 FROM productos WHERE id IN (SELECT producto_id FROM (%s) AS cambio) ORDER BY id FOR KEY SHARE', cambio);
  EXECUTE format($sql$
    INSERT INTO cambios_movimientos
    SELECT mercado_dia(c.fecha) AS dia, coalesce(p.proveedor_id, 0), c.tipo, sum(c.signo), sum(c.cantidad)
    FROM (%s) AS c JOIN productos p ON p.id = c.producto_id
    GROUP BY dia, coalesce(p.proveedor_id, 0), c.tipo HAVING sum(c.signo) <> 0 OR sum(c.cantidad) <> 0
  $sql$, cambio);
  RETURN NULL;
END
$$;

-- A product that changes its provider takes its movements along.
CREATE FUNCTION resumenes_productos() RETURNS TRIGGER
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM 1 FROM productos WHERE id = NEW.id FOR UPDATE; -- waits for movements that are being written
  INSERT INTO cambios_movimientos
  SELECT mercado_dia(fecha) AS dia, proveedor, tipo, signo * count(*), signo * sum(cantidad)
  FROM movimientos_stock
  CROSS JOIN (VALUES (coalesce(OLD.proveedor_id, 0), -1), (coalesce(NEW.proveedor_id, 0), 1)) AS lado(proveedor, signo)
  WHERE producto_id = NEW.id
  GROUP BY dia, proveedor, tipo, signo;
  RETURN NULL;
END
$$;

-- Whoever writes the facts or folds the changes needs no right on the summaries, nor one to lock what the facts belong to.
DO $$
DECLARE
  funcion REGPROCEDURE;
BEGIN
  FOREACH funcion IN ARRAY ARRAY['resumenes_pedidos()', 'resumenes_lineas()', 'resumenes_movimientos()',
                                 'resumenes_productos()', 'resumenes_plegar()']::REGPROCEDURE[] LOOP
    EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', funcion, current_schema());
  END LOOP;
END
$$;

CREATE TRIGGER resumenes_alta AFTER INSERT ON pedidos
REFERENCING NEW TABLE AS nuevas FOR EACH STATEMENT EXECUTE FUNCTION resumenes_pedidos();
CREATE TRIGGER resumenes_cambio AFTER UPDATE ON pedidos
FOR EACH ROW WHEN ((OLD.fecha_pedido, OLD.proveedor_id) IS DISTINCT FROM (NEW.fecha_pedido, NEW.proveedor_id))
EXECUTE FUNCTION resumenes_pedidos();
CREATE TRIGGER resumenes_baja BEFORE DELETE ON pedidos
FOR EACH ROW EXECUTE FUNCTION resumenes_pedidos();
CREATE TRIGGER resumenes_vaciado AFTER TRUNCATE ON pedidos
FOR EACH STATEMENT EXECUTE FUNCTION resumenes_pedidos();

CREATE TRIGGER resumenes_alta AFTER INSERT ON detalle_pedidos
REFERENCING NEW TABLE AS nuevas FOR EACH STATEMENT EXECUTE FUNCTION resumenes_lineas();
CREATE TRIGGER resumenes_cambio AFTER UPDATE ON detalle_pedidos
REFERENCING OLD TABLE AS viejas NEW TABLE AS nuevas FOR EACH STATEMENT EXECUTE FUNCTION resumenes_lineas();
CREATE TRIGGER resumenes_baja AFTER DELETE ON detalle_pedidos
REFERENCING OLD TABLE AS viejas FOR EACH STATEMENT EXECUTE FUNCTION resumenes_lineas();
CREATE TRIGGER resumenes_vaciado AFTER TRUNCATE ON detalle_pedidos
FOR EACH STATEMENT EXECUTE FUNCTION resumenes_lineas();

CREATE TRIGGER resumenes_alta AFTER INSERT ON movimientos_stock
REFERENCING NEW TABLE AS nuevas FOR EACH STATEMENT EXECUTE FUNCTION resumenes_movimientos();
CREATE TRIGGER resumenes_cambio AFTER UPDATE ON movimientos_stock
REFERENCING OLD TABLE AS viejas NEW TABLE AS nuevas FOR EACH STATEMENT EXECUTE FUNCTION resumenes_movimientos();
CREATE TRIGGER resumenes_baja AFTER DELETE ON movimientos_stock
REFERENCING OLD TABLE AS viejas FOR EACH STATEMENT EXECUTE FUNCTION resumenes_movimientos();
CREATE TRIGGER resumenes_vaciado AFTER TRUNCATE ON movimientos_stock
FOR EACH STATEMENT EXECUTE FUNCTION resumenes_movimientos();

CREATE TRIGGER resumenes_proveedor AFTER UPDATE ON productos
FOR EACH ROW WHEN (OLD.proveedor_id IS DISTINCT FROM NEW.proveedor_id)
EXECUTE FUNCTION resumenes_productos();

SELECT resumenes_rehacer();
