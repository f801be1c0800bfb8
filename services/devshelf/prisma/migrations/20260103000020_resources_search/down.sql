DROP INDEX "resources_search_idx";
