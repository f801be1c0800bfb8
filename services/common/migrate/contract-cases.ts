// Statements, what the running release thinks of them, and who sees it. The text search and the catalogue are held to
// the same list.

export type ContractCase = {
  readonly sql: string;
  /** what the text search says; nothing for what the running release lives with */
  readonly text?: string;
  /** what the catalogue says, where it says otherwise than the text; null for what it does not show */
  readonly catalogue?: string | null;
};

/** What every case runs on. */
export const STAGE = `
  CREATE SCHEMA other; CREATE SCHEMA unused;
  CREATE TABLE u (id INT PRIMARY KEY);
  CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT DEFAULT 0, "C d" TEXT, "RENAME" TEXT);
  CREATE TABLE p (id INT) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
  CREATE VIEW v AS SELECT a FROM t; CREATE MATERIALIZED VIEW mv AS SELECT a FROM t;
  CREATE SEQUENCE s; CREATE TYPE e AS ENUM ('x', 'y');
  CREATE FUNCTION f() RETURNS INT LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER tg BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();
  GRANT SELECT ON t TO PUBLIC;`;

export const CONTRACTING: readonly ContractCase[] = [
  { sql: 'DROP TABLE u;', text: 'takes away table u' },
  { sql: 'DROP VIEW v;', text: 'takes away view v' },
  { sql: 'DROP MATERIALIZED VIEW mv;', text: 'takes away materialized view mv', catalogue: 'takes away view mv' },
  { sql: 'ALTER TABLE t DROP COLUMN b;', text: 'takes away column t.b' },
  { sql: 'ALTER TABLE t ADD z INT, DROP IF EXISTS "C d";', text: 'takes away column t.C d' },
  { sql: 'ALTER TABLE t RENAME COLUMN b TO z;', text: 'renames column t.b to z', catalogue: 'takes away column t.b' },
  { sql: 'alter table u rename to z;', text: 'renames table u to z', catalogue: 'takes away table u' },
  { sql: 'ALTER TABLE t ALTER COLUMN a SET NOT NULL;', text: 'makes column t.a NOT NULL' },
  { sql: 'ALTER TABLE t ADD COLUMN z NUMERIC(10,2) NOT NULL;', text: 'adds column t.z, which must be filled' },
  {
    sql: 'ALTER TABLE t ALTER b SET DATA TYPE BIGINT;',
    text: 'changes the type of column t.b',
    catalogue: 'changes the type of column t.b from integer to bigint',
  },
  { sql: 'TRUNCATE t;', text: 'empties table t', catalogue: null },
  { sql: 'CREATE TABLE IF NOT EXISTS t (id INT); ALTER TABLE t DROP COLUMN b;', text: 'takes away column t.b' },
  { sql: 'ALTER TABLE t ADD COLUMN IF NOT EXISTS b INT; ALTER TABLE t DROP b;', text: 'takes away column t.b' },
  {
    sql: 'WITH gone AS (DELETE FROM t RETURNING id) INSERT INTO u SELECT id FROM gone;',
    text: 'deletes rows of table t',
    catalogue: null,
  },
  {
    sql: 'MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE;',
    text: 'deletes rows of table t',
    catalogue: null,
  },
  { sql: 'DELETE FROM t WHERE a = 1;', text: 'deletes rows of table t', catalogue: null },
  { sql: 'DROP FUNCTION f();', text: 'takes away function f()' },
  { sql: 'DROP TRIGGER tg ON t;', text: 'takes away trigger tg on t', catalogue: 'takes away trigger tg on t' },
  { sql: 'DROP SCHEMA unused CASCADE;', text: 'takes away schema unused' },
  { sql: 'DROP SEQUENCE s;', text: 'takes away sequence s' },
  {
    sql: 'ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);',
    text: 'demands of table t: CHECK (a > 0)',
    catalogue: 'demands of table t: CHECK ((a > 0))',
  },
  { sql: 'ALTER TABLE t ADD UNIQUE (a);', text: 'demands of table t: UNIQUE (a)' },
  { sql: 'CREATE UNIQUE INDEX i ON t (a);', text: 'demands of table t: UNIQUE (a)' },
  {
    sql: 'ALTER TABLE ONLY t ADD FOREIGN KEY (a) REFERENCES u (id);',
    text: 'demands of table t: FOREIGN KEY (a) REFERENCES u (id)',
    catalogue: 'demands of table t: FOREIGN KEY (a) REFERENCES u(id)',
  },
  { sql: 'ALTER TABLE t ALTER b DROP DEFAULT;', text: 'takes away the default of column t.b' },
  { sql: 'ALTER TABLE u SET SCHEMA other;', text: 'moves table u to schema other', catalogue: 'takes away table u' },
  {
    sql: 'REVOKE SELECT ON t FROM PUBLIC;',
    text: 'takes away rights: REVOKE SELECT ON t FROM PUBLIC',
    catalogue: 'takes away right SELECT on t to PUBLIC',
  },
  {
    sql: 'ALTER TABLE p DETACH PARTITION p1;',
    text: 'detaches p1 from table p',
    catalogue: 'detaches table p1 from p',
  },
  { sql: 'ALTER TABLE t ENABLE ROW LEVEL SECURITY;', text: 'turns row level security on for table t' },
  {
    sql: "DO $$ BEGIN IF true THEN ALTER TABLE t DROP COLUMN b; END IF; EXECUTE 'DROP SEQUENCE s'; END $$;",
    text: 'takes away column t.b',
  },
  {
    sql: "ALTER TYPE e RENAME VALUE 'x' TO 'z';",
    text: 'renames a value of type e',
    catalogue: 'takes away x of enum e',
  },
];

export const EXPANDING: readonly ContractCase[] = [
  {
    sql: 'CREATE TABLE n (id INT NOT NULL, name TEXT NOT NULL UNIQUE); ALTER TABLE n ADD CHECK (id > 0); CREATE UNIQUE INDEX ni ON n (id);',
  },
  { sql: 'ALTER TABLE t ADD COLUMN note TEXT, ADD n NUMERIC(10,2) DEFAULT 0 NOT NULL, ADD z SERIAL;' },
  {
    sql: "ALTER TABLE t ADD COLUMN z TEXT; UPDATE t SET z = a; CREATE UNIQUE INDEX zi ON t (z); ALTER TABLE t ADD CHECK (z <> '');",
  },
  { sql: 'ALTER TABLE t ALTER COLUMN a DROP NOT NULL;' },
  { sql: 'CREATE INDEX i ON t (a); ALTER INDEX i RENAME TO j; DROP INDEX j;' },
  {
    sql: "COMMENT ON TABLE t IS 'RENAME; DROP TABLE t; ALTER TABLE t DROP COLUMN a'; -- DROP TABLE t;\nSELECT 1; /* TRUNCATE t */",
  },
  {
    sql: 'CREATE FUNCTION h() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM u; TRUNCATE u; RETURN NULL; END $$; CREATE TRIGGER th AFTER TRUNCATE OR DELETE ON u EXECUTE FUNCTION h();',
  },
  { sql: "ALTER TYPE e ADD VALUE 'z'; GRANT DELETE, TRUNCATE ON t TO PUBLIC;" },
  { sql: 'CREATE OR REPLACE VIEW v AS SELECT a, b FROM t;' },
  { sql: 'INSERT INTO u VALUES (1) ON CONFLICT DO NOTHING; SELECT "RENAME" FROM t;' },
];
