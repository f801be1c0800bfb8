-- devshelf:adopts 20260101000000_users_and_resources
-- The tables of the Python service become those of the first migration; `migrate baseline --adopt` runs this, compares
-- and records it, all in one transaction. There, Alembic made "resources" and the service itself "users", so either may
-- be missing. Ids were text, times without a zone were UTC, and what the models gave had no default in the database.
-- Users keep their ids, names and passwords; resources belonged to nobody and still do.
CREATE TABLE IF NOT EXISTS "users" (
    "id" VARCHAR(36) PRIMARY KEY,
    "username" VARCHAR(50) NOT NULL UNIQUE,
    "email" VARCHAR(255) NOT NULL UNIQUE,
    "hashed_password" VARCHAR(255) NOT NULL,
    "is_active" BOOLEAN,
    "created_at" TIMESTAMP
);

CREATE TABLE IF NOT EXISTS "resources" (
    "id" VARCHAR(36) PRIMARY KEY,
    "title" VARCHAR(255) NOT NULL,
    "description" TEXT,
    "url" VARCHAR(1024) NOT NULL,
    "type" VARCHAR(50) NOT NULL,
    "created_at" TIMESTAMP
);

UPDATE "users" SET "is_active" = coalesce("is_active", true), "created_at" = coalesce("created_at", now() AT TIME ZONE 'UTC')
    WHERE "is_active" IS NULL OR "created_at" IS NULL;
UPDATE "resources" SET "created_at" = now() AT TIME ZONE 'UTC' WHERE "created_at" IS NULL;

ALTER TABLE "users"
    DROP CONSTRAINT "users_username_key",
    DROP CONSTRAINT "users_email_key",
    ALTER COLUMN "id" TYPE UUID USING "id"::uuid,
    ALTER COLUMN "id" SET DEFAULT gen_random_uuid(),
    ALTER COLUMN "is_active" SET DEFAULT true,
    ALTER COLUMN "is_active" SET NOT NULL,
    ALTER COLUMN "created_at" TYPE TIMESTAMPTZ(6) USING "created_at" AT TIME ZONE 'UTC',
    ALTER COLUMN "created_at" SET DEFAULT CURRENT_TIMESTAMP,
    ALTER COLUMN "created_at" SET NOT NULL;

ALTER TABLE "resources"
    ADD COLUMN "owner_id" UUID,
    ALTER COLUMN "id" TYPE UUID USING "id"::uuid,
    ALTER COLUMN "id" SET DEFAULT gen_random_uuid(),
    ALTER COLUMN "created_at" TYPE TIMESTAMPTZ(6) USING "created_at" AT TIME ZONE 'UTC',
    ALTER COLUMN "created_at" SET DEFAULT CURRENT_TIMESTAMP,
    ALTER COLUMN "created_at" SET NOT NULL;

CREATE UNIQUE INDEX "users_username_key" ON "users"("username");
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");
CREATE INDEX "resources_created_at_id_idx" ON "resources"("created_at", "id");
CREATE INDEX "resources_owner_id_idx" ON "resources"("owner_id");
ALTER TABLE "resources" ADD CONSTRAINT "resources_owner_id_fkey" FOREIGN KEY ("owner_id") REFERENCES "users"("id") ON DELETE SET NULL ON UPDATE CASCADE;
