ALTER TABLE "proveedores" DROP COLUMN "telex";
