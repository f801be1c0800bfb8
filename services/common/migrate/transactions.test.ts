import { expect, test } from '@jest/globals';
import { transactionFault } from './transactions.ts';

const faultOf = (sql: string, inTransaction = true) => transactionFault({ id: 'm', sql, inTransaction });

test.each([
  ['CREATE TABLE a (id INT);'],
  ['SAVEPOINT s; ROLLBACK TO SAVEPOINT s; ROLLBACK WORK TO s; RELEASE s;'],
  ["DO $$ BEGIN PERFORM 1; END $$; SELECT 'COMMIT;'; -- COMMIT;"],
  ['CREATE FUNCTION f() RETURNS INT BEGIN ATOMIC SELECT 1; END;'],
])('stays within the transaction: %s', sql => {
  expect(faultOf(sql)).toBeUndefined();
});

test.each([
  ['BEGIN', 'SELECT 1;\n\nBEGIN; SELECT 2; COMMIT;'],
  ['START', '\n\nstart transaction; SELECT 2;'],
  ['COMMIT', '\n\nCOMMIT; SELECT 2;'],
  ['END', '\n\n-- so\nEND;'.replace('-- so\n', '/* so */')],
  ['ROLLBACK', '\n\nROLLBACK;'],
  ['ABORT', '\n\nABORT;'],
  ['PREPARE', "\n\nPREPARE TRANSACTION 'x';"],
])('does not: %s', (word, sql) => {
  expect(faultOf(sql)).toMatch(new RegExp(`^m/migration.sql, line 3: ${word} has no place here`));
});

test('where there is no transaction, one of its own has an end', () => {
  expect(faultOf('BEGIN; SELECT 1; COMMIT; SELECT 2;', false)).toBeUndefined();
  expect(faultOf('COMMIT;', false)).toBeUndefined();
  expect(faultOf('SELECT 1;\nBEGIN; SELECT 2;', false)).toMatch(/^m\/migration.sql, line 2: BEGIN begins/);
});
