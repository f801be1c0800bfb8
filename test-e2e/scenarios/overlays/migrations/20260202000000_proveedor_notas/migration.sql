-- Two columns that later releases do without.
ALTER TABLE "proveedores" ADD COLUMN "fax" VARCHAR(40), ADD COLUMN "telex" VARCHAR(40);
