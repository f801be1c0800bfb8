import { expect, test } from '@jest/globals';
import { findContract } from './lint.ts';

const lint = (sql: string) => findContract([{ id: 'm', sql, down: undefined, checksum: '', inTransaction: true }]);

test.each([
  ['CREATE TABLE t (id INT NOT NULL, name TEXT NOT NULL);'],
  ['ALTER TABLE t ADD COLUMN note TEXT;'],
  ['ALTER TABLE t ADD COLUMN n INT NOT NULL DEFAULT 0;'],
  ['ALTER TABLE t ADD COLUMN n INT DEFAULT 0 NOT NULL;'],
  ['ALTER TABLE t ADD COLUMN n NUMERIC(10,2) NOT NULL DEFAULT 0;'],
  ['ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL);'],
  ['ALTER TABLE t DROP CONSTRAINT c;'],
  ['ALTER TABLE t ALTER COLUMN a DROP NOT NULL;'],
  ['ALTER TABLE t ALTER a DROP DEFAULT;'],
  ['CREATE INDEX CONCURRENTLY i ON t (a);'],
  ['-- DROP TABLE t;\nSELECT 1; /* RENAME */'],
  ['CREATE TRIGGER g AFTER TRUNCATE ON t EXECUTE FUNCTION f();'],
])('the running release lives with: %s', sql => {
  expect(lint(sql)).toEqual([]);
});

test.each([
  ['DROP TABLE t;', 'drops a table'],
  ['ALTER TABLE t DROP COLUMN a;', 'drops a column'],
  ['ALTER TABLE t DROP "a";', 'drops a column'],
  ['ALTER TABLE t RENAME COLUMN a TO b;', 'renames'],
  ['ALTER TABLE t RENAME TO u;', 'renames'],
  ['ALTER TABLE t ALTER COLUMN a SET NOT NULL;', 'makes a column NOT NULL'],
  ['ALTER TABLE t ADD COLUMN a TEXT NOT NULL;', 'adds a NOT NULL column without default'],
  ['ALTER TABLE t ADD COLUMN a NUMERIC(10,2) NOT NULL;', 'adds a NOT NULL column without default'],
  ['ALTER TABLE t ADD a TEXT NOT NULL, ADD COLUMN b INT DEFAULT 0;', 'adds a NOT NULL column without default'],
  ['ALTER TABLE t ALTER COLUMN a TYPE INT;', 'changes the type of a column'],
  ['alter table t alter a set data type varchar(10);', 'changes the type of a column'],
  ['TRUNCATE t;', 'empties a table'],
])('contract: %s', (sql, what) => {
  expect(lint(sql)).toEqual([`m: ${what}`]);
});
