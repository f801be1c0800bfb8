DROP TRIGGER "resources_forget_link" ON "resources";
DROP FUNCTION "resources_forget_link"();
DROP INDEX "resources_link_due_at_idx";
ALTER TABLE "resources"
    DROP COLUMN "link_due_at",
    DROP COLUMN "link_checked_at",
    DROP COLUMN "link_title",
    DROP COLUMN "link_error",
    DROP COLUMN "link_status";
