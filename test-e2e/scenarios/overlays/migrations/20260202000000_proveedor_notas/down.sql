ALTER TABLE "proveedores" DROP COLUMN "fax", DROP COLUMN "telex";
