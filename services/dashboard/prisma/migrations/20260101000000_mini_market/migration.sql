CREATE TABLE "proveedores" (
    "id" SERIAL NOT NULL,
    "codigo" VARCHAR(20) NOT NULL,
    "nombre" VARCHAR(200) NOT NULL,
    "activo" BOOLEAN NOT NULL DEFAULT true,
    "creado_en" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "proveedores_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "categorias" (
    "id" SERIAL NOT NULL,
    "nombre" VARCHAR(100) NOT NULL,

    CONSTRAINT "categorias_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "productos" (
    "id" SERIAL NOT NULL,
    "codigo" VARCHAR(30) NOT NULL,
    "nombre" VARCHAR(200) NOT NULL,
    "categoria_id" INTEGER,
    "proveedor_id" INTEGER,
    "stock_actual" INTEGER NOT NULL DEFAULT 0,
    "stock_minimo" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "productos_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "pedidos" (
    "id" SERIAL NOT NULL,
    "proveedor_id" INTEGER NOT NULL,
    "fecha_pedido" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "estado" VARCHAR(20) NOT NULL DEFAULT 'pendiente',

    CONSTRAINT "pedidos_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "detalle_pedidos" (
    "id" SERIAL NOT NULL,
    "pedido_id" INTEGER NOT NULL,
    "producto_id" INTEGER NOT NULL,
    "cantidad" INTEGER NOT NULL,

    CONSTRAINT "detalle_pedidos_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "movimientos_stock" (
    "id" SERIAL NOT NULL,
    "producto_id" INTEGER NOT NULL,
    "tipo" VARCHAR(10) NOT NULL,
    "cantidad" INTEGER NOT NULL,
    "fecha" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "movimientos_stock_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "facturas_ocr" (
    "id" SERIAL NOT NULL,
    "proveedor_id" INTEGER,
    "archivo" VARCHAR(255) NOT NULL,
    "estado" VARCHAR(20) NOT NULL DEFAULT 'pendiente',
    "creada_en" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "facturas_ocr_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "configuracion_sistema" (
    "clave" VARCHAR(100) NOT NULL,
    "valor" TEXT NOT NULL,
    "actualizado_en" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "configuracion_sistema_pkey" PRIMARY KEY ("clave")
);

CREATE UNIQUE INDEX "proveedores_codigo_key" ON "proveedores"("codigo");

CREATE UNIQUE INDEX "categorias_nombre_key" ON "categorias"("nombre");

CREATE UNIQUE INDEX "productos_codigo_key" ON "productos"("codigo");

CREATE INDEX "productos_categoria_id_idx" ON "productos"("categoria_id");

CREATE INDEX "productos_proveedor_id_idx" ON "productos"("proveedor_id");

CREATE INDEX "pedidos_proveedor_id_idx" ON "pedidos"("proveedor_id");

CREATE INDEX "pedidos_fecha_pedido_idx" ON "pedidos"("fecha_pedido");

CREATE INDEX "detalle_pedidos_pedido_id_idx" ON "detalle_pedidos"("pedido_id");

CREATE INDEX "detalle_pedidos_producto_id_idx" ON "detalle_pedidos"("producto_id");

CREATE INDEX "movimientos_stock_producto_id_idx" ON "movimientos_stock"("producto_id");

CREATE INDEX "movimientos_stock_fecha_idx" ON "movimientos_stock"("fecha");

CREATE INDEX "facturas_ocr_proveedor_id_idx" ON "facturas_ocr"("proveedor_id");

ALTER TABLE "productos" ADD CONSTRAINT "productos_categoria_id_fkey" FOREIGN KEY ("categoria_id") REFERENCES "categorias"("id") ON DELETE SET NULL ON UPDATE CASCADE;

ALTER TABLE "productos" ADD CONSTRAINT "productos_proveedor_id_fkey" FOREIGN KEY ("proveedor_id") REFERENCES "proveedores"("id") ON DELETE SET NULL ON UPDATE CASCADE;

ALTER TABLE "pedidos" ADD CONSTRAINT "pedidos_proveedor_id_fkey" FOREIGN KEY ("proveedor_id") REFERENCES "proveedores"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "detalle_pedidos" ADD CONSTRAINT "detalle_pedidos_pedido_id_fkey" FOREIGN KEY ("pedido_id") REFERENCES "pedidos"("id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "detalle_pedidos" ADD CONSTRAINT "detalle_pedidos_producto_id_fkey" FOREIGN KEY ("producto_id") REFERENCES "productos"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "movimientos_stock" ADD CONSTRAINT "movimientos_stock_producto_id_fkey" FOREIGN KEY ("producto_id") REFERENCES "productos"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "facturas_ocr" ADD CONSTRAINT "facturas_ocr_proveedor_id_fkey" FOREIGN KEY ("proveedor_id") REFERENCES "proveedores"("id") ON DELETE SET NULL ON UPDATE CASCADE;
