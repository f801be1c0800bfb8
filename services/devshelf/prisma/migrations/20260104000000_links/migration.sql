-- "link_due_at" begins with now() for every resource there is: none stays unchecked
ALTER TABLE "resources"
    ADD COLUMN "link_status" SMALLINT,
    ADD COLUMN "link_error" VARCHAR(30),
    ADD COLUMN "link_title" VARCHAR(255),
    ADD COLUMN "link_checked_at" TIMESTAMPTZ(6),
    ADD COLUMN "link_due_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP;

CREATE INDEX "resources_link_due_at_idx" ON "resources"("link_due_at");
