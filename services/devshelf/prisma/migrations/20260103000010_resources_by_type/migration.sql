-- devshelf:no-transaction
-- the list of one type, in the order in which it is read
CREATE INDEX CONCURRENTLY "resources_type_created_at_id_idx" ON "resources"("type", "created_at", "id");
