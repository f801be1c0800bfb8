ALTER TABLE "proveedores" ADD COLUMN "fax" VARCHAR(40);
