ALTER TABLE "proveedores" ADD COLUMN "telex" VARCHAR(40);
