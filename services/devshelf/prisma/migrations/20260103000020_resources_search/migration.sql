-- devshelf:no-transaction
-- what ?q= searches; services/devshelf/search.ts has the same expression
CREATE INDEX CONCURRENTLY "resources_search_idx" ON "resources" USING gin (
  to_tsvector('simple', translate(title || ' ' || left(coalesce(description, ''), 10000), 'áàâãäåéèêëíìîïóòôõöúùûüýÿñçÁÀÂÃÄÅÉÈÊËÍÌÎÏÓÒÔÕÖÚÙÛÜÝÑÇ!"#$%&''()*+,-./:<=>?@[\]^_`{|}~', 'aaaaaaeeeeiiiiooooouuuuyyncAAAAAAEEEEIIIIOOOOOUUUUYNC                               '))
);
