CREATE TABLE "pedido_nota" ("id" INTEGER PRIMARY KEY, "texto" TEXT NOT NULL);
