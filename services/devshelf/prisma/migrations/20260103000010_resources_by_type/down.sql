DROP INDEX "resources_type_created_at_id_idx";
