DROP TABLE "resources";
DROP TABLE "users";
