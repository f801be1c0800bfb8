import { expect, test } from '@jest/globals';
import { findContract, takenBy } from './contract.ts';
import { CONTRACTING, EXPANDING } from './contract-cases.ts';
import { markFaults, marksOf } from './marks.ts';

const said = (sql: string) => findContract(sql).map(({ what }) => what);

test.each(CONTRACTING.map(({ sql, text }) => [sql, text] as const))(
  'the running release cannot live with: %s',
  (sql, text) => {
    expect(said(sql)).toContain(text);
  },
);

test.each(EXPANDING.map(({ sql }) => [sql]))('the running release lives with: %s', sql => {
  expect(said(sql)).toEqual([]);
});

test.each([
  [
    'ALTER TABLE t ADD COLUMN z INT NOT NULL DEFAULT 0; ALTER TABLE t ALTER z DROP DEFAULT;',
    'takes away the default of column t.z',
  ],
  ['ALTER TABLE t ADD COLUMN z INT; ALTER TABLE t ALTER z SET NOT NULL;', 'makes column t.z NOT NULL'],
  ['WITH gone AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT id FROM gone;', 'deletes rows of table t'],
  ["DO $$ BEGIN EXECUTE format('ALTER TABLE %I DROP COLUMN x', 't'); END $$;", 'takes away column %i.x'],
  ["DO $$ BEGIN EXECUTE 'ALTER TABLE ' || name || ' DROP COLUMN x'; END $$;", 'takes away column ?.x'],
  ['ALTER TABLE "Shop"."T" DROP "a b" CASCADE;', 'takes away column Shop.T.a b'],
  ['DROP TABLE IF EXISTS a, "B" CASCADE;', 'takes away table a, B'],
  ['CREATE POLICY x ON t AS RESTRICTIVE USING (false);', 'hides rows of table t'],
])('in other words: %s', (sql, what) => {
  expect(said(sql)).toContain(what);
});

const taken = (sql: string) => takenBy({ sql, marks: marksOf(sql) });

test('what the author says decides, and the text gives the words', () => {
  expect(taken('-- devshelf:expand nothing reads it\nALTER TABLE t DROP COLUMN a;')).toBeUndefined();
  expect(taken('-- devshelf:contract b is counted otherwise\nUPDATE t SET b = 1;')).toBe('b is counted otherwise');
  expect(taken('-- devshelf:contract why\nALTER TABLE t DROP COLUMN a;')).toBe('takes away column t.a');
  expect(taken('-- devshelf:contract\nSELECT 1;')).toBe('is marked as a contract');
});

test.each([
  ['after a statement', 'SELECT 1;\n-- devshelf:expand no'],
  ['in a string', "SELECT '\n-- devshelf:expand no\n';"],
  ['on the line of a statement', 'SELECT 1; -- devshelf:expand no'],
])('no mark: %s', (_case, sql) => {
  expect([...marksOf(sql)]).toEqual([]);
});

test('marks stand in the comments before the first statement, whatever the line ends', () => {
  const marks = marksOf(
    '-- Titles.\r\n-- devshelf:no-transaction\r\n\r\n--devshelf:contract  old titles \r\nSELECT 1;',
  );
  expect([...marks]).toEqual([
    ['no-transaction', ''],
    ['contract', 'old titles'],
  ]);
  expect(markFaults(marks)).toEqual([]);
});

test.each([
  ['-- devshelf:contracts x', 'devshelf:contracts is not a mark'],
  ['-- devshelf:expand', 'says nothing after it'],
  ['-- devshelf:expand a\n-- devshelf:contract b', 'it is one of them'],
])('a wrong mark: %j', (sql, words) => {
  expect(markFaults(marksOf(sql))).toEqual([expect.stringContaining(words)]);
});
