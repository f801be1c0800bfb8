-- The original's tables, by its own names, as views: whatever wrote them goes on as it did, with search_path=original.
-- Not a migration, as few need it. After all migrations:  psql "$DATABASE_URL" -1 -f services/dashboard/prisma/original.sql
-- Harmless when it is done twice. To take it away again: DROP SCHEMA original CASCADE;

DROP SCHEMA IF EXISTS original CASCADE;
CREATE SCHEMA original;

CREATE VIEW original.proveedores AS
SELECT id, codigo, nombre, activo, creado_en AS fecha_registro FROM proveedores;

CREATE VIEW original.categorias AS
SELECT id, nombre FROM categorias;

CREATE VIEW original.productos AS
SELECT id, codigo AS codigo_barras, nombre, categoria_id, proveedor_id, stock_actual, stock_minimo FROM productos;

CREATE VIEW original.pedidos AS
SELECT id, proveedor_id, fecha_pedido, estado FROM pedidos;

CREATE VIEW original.detalle_pedidos AS
SELECT l.id, l.pedido_id, p.nombre AS producto_nombre, l.cantidad
FROM detalle_pedidos l JOIN productos p ON p.id = l.producto_id;

CREATE VIEW original.movimientos_stock AS
SELECT id, producto_id, tipo AS tipo_movimiento, cantidad, fecha AS fecha_movimiento FROM movimientos_stock;

CREATE VIEW original.facturas_ocr AS
SELECT id, archivo AS numero_factura, proveedor_id AS proveedor_asignado_id, estado = 'procesado' AS procesado,
       creada_en AS fecha_procesamiento
FROM facturas_ocr;

CREATE VIEW original.configuracion_sistema AS
SELECT clave, valor, actualizado_en AS fecha_modificacion FROM configuracion_sistema;

-- Every product needs a code; a bar code may be empty.
CREATE FUNCTION original.productos_alta() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
  NEW.id := coalesce(NEW.id, nextval(pg_get_serial_sequence('productos', 'id')));
  NEW.codigo_barras := coalesce(nullif(NEW.codigo_barras, ''), 'P' || NEW.id);
  NEW.stock_actual := coalesce(NEW.stock_actual, 0);
  NEW.stock_minimo := coalesce(NEW.stock_minimo, 0);
  INSERT INTO productos (id, codigo, nombre, categoria_id, proveedor_id, stock_actual, stock_minimo)
  VALUES (NEW.id, NEW.codigo_barras, NEW.nombre, NEW.categoria_id, NEW.proveedor_id, NEW.stock_actual, NEW.stock_minimo);
  RETURN NEW;
END
$$;

CREATE TRIGGER alta INSTEAD OF INSERT ON original.productos
FOR EACH ROW EXECUTE FUNCTION original.productos_alta();

-- The product of that name, the order's own provider's first; one that is only named is made.
CREATE FUNCTION original.producto_llamado(pedido INTEGER, buscado TEXT) RETURNS INTEGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
  proveedor INTEGER := (SELECT proveedor_id FROM pedidos WHERE id = pedido);
  hallado INTEGER;
BEGIN
  -- two that name a new product at once make one
  PERFORM pg_advisory_xact_lock(hashtext('original.producto_llamado'), hashtext(buscado));
  SELECT id INTO hallado FROM productos WHERE nombre = buscado
  ORDER BY proveedor_id IS NOT DISTINCT FROM proveedor DESC, id LIMIT 1;
  IF hallado IS NULL THEN
    hallado := nextval(pg_get_serial_sequence('productos', 'id'));
    INSERT INTO productos (id, codigo, nombre, proveedor_id) VALUES (hallado, 'P' || hallado, buscado, proveedor);
  END IF;
  RETURN hallado;
END
$$;

CREATE FUNCTION original.detalle_pedidos_escribir() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
  CASE TG_OP
    WHEN 'INSERT' THEN
      NEW.id := coalesce(NEW.id, nextval(pg_get_serial_sequence('detalle_pedidos', 'id')));
      INSERT INTO detalle_pedidos (id, pedido_id, producto_id, cantidad)
      VALUES (NEW.id, NEW.pedido_id, original.producto_llamado(NEW.pedido_id, NEW.producto_nombre), NEW.cantidad);
      RETURN NEW;
    WHEN 'UPDATE' THEN
      UPDATE detalle_pedidos
      SET pedido_id = NEW.pedido_id, cantidad = NEW.cantidad,
          producto_id = CASE WHEN NEW.producto_nombre = OLD.producto_nombre THEN producto_id
                        ELSE original.producto_llamado(NEW.pedido_id, NEW.producto_nombre) END
      WHERE id = OLD.id;
      RETURN NEW;
    ELSE
      DELETE FROM detalle_pedidos WHERE id = OLD.id;
      RETURN OLD;
  END CASE;
END
$$;

CREATE TRIGGER escribir INSTEAD OF INSERT OR UPDATE OR DELETE ON original.detalle_pedidos
FOR EACH ROW EXECUTE FUNCTION original.detalle_pedidos_escribir();

CREATE FUNCTION original.facturas_ocr_escribir() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
  CASE TG_OP
    WHEN 'INSERT' THEN
      NEW.id := coalesce(NEW.id, nextval(pg_get_serial_sequence('facturas_ocr', 'id')));
      INSERT INTO facturas_ocr (id, archivo, proveedor_id, estado, creada_en)
      VALUES (NEW.id, NEW.numero_factura, NEW.proveedor_asignado_id,
              CASE WHEN NEW.procesado THEN 'procesado' ELSE 'pendiente' END, coalesce(NEW.fecha_procesamiento, now()));
      RETURN NEW;
    WHEN 'UPDATE' THEN
      UPDATE facturas_ocr
      SET archivo = NEW.numero_factura, proveedor_id = NEW.proveedor_asignado_id, creada_en = NEW.fecha_procesamiento,
          estado = CASE WHEN NEW.procesado THEN 'procesado' WHEN OLD.procesado THEN 'pendiente' ELSE estado END
      WHERE id = OLD.id;
      RETURN NEW;
    ELSE
      DELETE FROM facturas_ocr WHERE id = OLD.id;
      RETURN OLD;
  END CASE;
END
$$;

CREATE TRIGGER escribir INSTEAD OF INSERT OR UPDATE OR DELETE ON original.facturas_ocr
FOR EACH ROW EXECUTE FUNCTION original.facturas_ocr_escribir();
