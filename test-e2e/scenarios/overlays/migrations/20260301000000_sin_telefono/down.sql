ALTER TABLE "proveedores" ADD COLUMN "telefono" VARCHAR(40);
CREATE INDEX "proveedores_telefono_idx" ON "proveedores" ("telefono");
