-- devshelf:contract nobody calls any more
ALTER TABLE "proveedores" DROP COLUMN "telefono";
