ALTER TABLE "proveedores" DROP COLUMN "telefono";
