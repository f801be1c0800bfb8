DROP TABLE "pedido_nota";
