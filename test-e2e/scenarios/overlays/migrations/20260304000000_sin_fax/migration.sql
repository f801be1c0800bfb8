ALTER TABLE "proveedores" DROP COLUMN "fax";
