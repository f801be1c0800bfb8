-- What a user name looks like (identities.ts): names with the same key are one. Null for the younger of two that looked
-- alike before: they go on logging in by their exact name.
ALTER TABLE "users" ADD COLUMN "username_key" TEXT;

UPDATE "users" SET "username_key" = key
FROM (
  SELECT DISTINCT ON (key) id, key
  FROM (SELECT id, created_at, lower(normalize(username, NFKC)) AS key FROM "users") AS keyed
  ORDER BY key, created_at, id
) AS first
WHERE first.id = "users".id;

CREATE UNIQUE INDEX "users_username_key_key" ON "users"("username_key");

-- One mailbox, one spelling: the domain in small letters, unless another account has that already.
UPDATE "users" SET email = lowered.email
FROM (
  SELECT DISTINCT ON (email) id, email
  FROM (
    SELECT id, created_at, regexp_replace(email, '@[^@]*$', '') || lower(substring(email FROM '@[^@]*$')) AS email
    FROM "users"
  ) AS spelled
  ORDER BY email, created_at, id
) AS lowered
WHERE lowered.id = "users".id AND "users".email <> lowered.email
  AND NOT EXISTS (SELECT FROM "users" AS other WHERE other.email = lowered.email);
