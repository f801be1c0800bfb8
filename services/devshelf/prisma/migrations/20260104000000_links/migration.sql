-- "link_due_at" begins with now() for every resource there is: none stays unchecked
ALTER TABLE "resources"
    ADD COLUMN "link_status" SMALLINT,
    ADD COLUMN "link_error" VARCHAR(30),
    ADD COLUMN "link_title" VARCHAR(255),
    ADD COLUMN "link_checked_at" TIMESTAMPTZ(6),
    ADD COLUMN "link_due_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP;

CREATE INDEX "resources_link_due_at_idx" ON "resources"("link_due_at");

-- What was found belongs to the URL that was asked: whoever changes it, nothing of the old one stays.
CREATE FUNCTION "resources_forget_link"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."link_status" := NULL;
    NEW."link_error" := NULL;
    NEW."link_title" := NULL;
    NEW."link_checked_at" := NULL;
    NEW."link_due_at" := now();
    RETURN NEW;
END
$$;

CREATE TRIGGER "resources_forget_link" BEFORE UPDATE OF "url" ON "resources"
    FOR EACH ROW WHEN (NEW."url" IS DISTINCT FROM OLD."url") EXECUTE FUNCTION "resources_forget_link"();
