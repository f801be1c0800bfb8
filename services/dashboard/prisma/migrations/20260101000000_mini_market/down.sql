DROP TABLE "configuracion_sistema";
DROP TABLE "facturas_ocr";
DROP TABLE "movimientos_stock";
DROP TABLE "detalle_pedidos";
DROP TABLE "pedidos";
DROP TABLE "productos";
DROP TABLE "categorias";
DROP TABLE "proveedores";
