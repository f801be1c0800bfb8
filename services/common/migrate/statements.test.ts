import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { statementsOf } from './statements.ts';

const split = (file: string) => statementsOf(file).map(({ sql }) => sql.trim());

test.each([
  ['', []],
  ['-- devshelf:no-transaction\n', []],
  [' ;; /* nothing */ ; -- nothing\n ', []],
  ['SELECT 1', ['SELECT 1']],
  ['SELECT 1; SELECT 2;', ['SELECT 1', 'SELECT 2']],
  ["SELECT ';--'; SELECT 2", ["SELECT ';--'", 'SELECT 2']],
  ["SELECT 'it''s; so'; SELECT 2", ["SELECT 'it''s; so'", 'SELECT 2']],
  ["SELECT E'\\';'; SELECT 2", ["SELECT E'\\';'", 'SELECT 2']],
  ["SELECT '\\'; SELECT 2", ["SELECT '\\'", 'SELECT 2']],
  ["SELECT name'x\\'; SELECT 2", ["SELECT name'x\\'", 'SELECT 2']],
  ['SELECT ";""; " AS a; SELECT 2', ['SELECT ";""; " AS a', 'SELECT 2']],
  ['DO $$ BEGIN PERFORM 1; END $$; SELECT 2', ['DO $$ BEGIN PERFORM 1; END $$', 'SELECT 2']],
  ['DO $f$ x := $$;$$; $f$; SELECT 2', ['DO $f$ x := $$;$$; $f$', 'SELECT 2']],
  ['SELECT a$b$; SELECT c$b$', ['SELECT a$b$', 'SELECT c$b$']],
  ['SELECT $1; SELECT $1', ['SELECT $1', 'SELECT $1']],
  ['SELECT 1 -- a; b\n; SELECT 2', ['SELECT 1 -- a; b', 'SELECT 2']],
  ['SELECT /* a; /* b; */ c; */ 1; SELECT 2', ['SELECT /* a; /* b; */ c; */ 1', 'SELECT 2']],
  ["SELECT '/*'; SELECT '*/'", ["SELECT '/*'", "SELECT '*/'"]],
  ['SELECT 1; /* never; ends', ['SELECT 1']],
  ["SELECT 'never; ends", ["SELECT 'never; ends"]],
  [
    'CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3',
    ['CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)', 'SELECT 3'],
  ],
  [
    'create function f() returns int begin atomic select 1; select case when true then 2 end; end; SELECT 3',
    ['create function f() returns int begin atomic select 1; select case when true then 2 end; end', 'SELECT 3'],
  ],
  [
    'CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); END; SELECT 2',
    ['CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); END', 'SELECT 2'],
  ],
  ['BEGIN; SELECT 1; END; SELECT 2', ['BEGIN', 'SELECT 1', 'END', 'SELECT 2']],
])('%j', (file, statements) => {
  expect(split(file)).toEqual(statements);
});

test('a statement knows where it begins', () => {
  const file = '-- first\nSELECT 1;\nSELECT 2;\n';
  expect(statementsOf(file)).toEqual([
    { sql: '-- first\nSELECT 1', at: 0, words: ['SELECT'] },
    { sql: '\nSELECT 2', at: 18, words: ['SELECT'] },
  ]);
});

test('whatever stands in quotes and comments, as many statements as were written', () => {
  const noise = fc.string({ unit: fc.constantFrom(';', '-', '/', '*', '"', '$', 'E', ' ', '\n', 'é') });
  const part = fc.oneof(
    noise.map(text => `'${text}'`),
    noise.map(text => `"${text.replaceAll('"', '""')}"`),
    noise.map(text => `$q$${text}$q$`),
    noise.map(text => `--${text.replaceAll('\n', '')}\n`),
    noise.map(text => `/*${text.replaceAll('*', '').replaceAll('/', '')}*/`),
    fc.constantFrom(' x$1$ ', ' 1 ', ' (;) '),
  );
  const statement = fc.array(part).map(parts => `SELECT ${parts.join('')}`);
  fc.assert(
    fc.property(fc.array(statement), statements => {
      expect(split(statements.join(';'))).toEqual(statements.map(text => text.trim()));
    }),
  );
});
