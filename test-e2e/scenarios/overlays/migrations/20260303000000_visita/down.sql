DROP TABLE "visita";
