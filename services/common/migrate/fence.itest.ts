// What takes something away waits until it is agreed to; what was applied goes back only where nothing is lost.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { query, startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { type TemporaryFolder, temporaryFolder, until } from '../testing/processes.ts';
import { runMigrate } from './testing.ts';

const A = '20260101000000_a';
const B = '20260102000000_b';
const C = '20260103000000_c';

let postgres: TestPostgres;
let folder: TemporaryFolder;
let url: string;
let databases = 0;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres?.remove());
beforeEach(async () => {
  databases += 1;
  url = await postgres.createDatabase(`fence_${databases}`);
  folder = temporaryFolder('devshelf-fence-');
});
afterEach(() => folder.remove());

function write(id: string, sql: string, down?: string): void {
  mkdirSync(join(folder.path, id), { recursive: true });
  writeFileSync(join(folder.path, id, 'migration.sql'), sql);
  if (down !== undefined) writeFileSync(join(folder.path, id, 'down.sql'), down);
}

const migrate = (args: readonly string[], MIGRATE_CONTRACT = '', more: Record<string, string> = {}) =>
  runMigrate(args, { DATABASE_URL: url, MIGRATIONS_DIR: folder.path, MIGRATE_CONTRACT, ...more });

const columns = async () =>
  (
    await query(
      url,
      "SELECT attname FROM pg_attribute WHERE attrelid = 'a'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY 1",
    )
  ).map(({ attname }) => attname);

/** A is applied; B, which takes column old away, and C, which adds one, are not. */
async function released(): Promise<void> {
  write(A, 'CREATE TABLE a (id INT, old TEXT);', 'DROP TABLE a;');
  await migrate(['up']);
  write(B, 'ALTER TABLE a DROP COLUMN old;');
  write(C, 'ALTER TABLE a ADD COLUMN new TEXT;', 'ALTER TABLE a DROP COLUMN new;');
}

const WITHHELD = { id: B, what: 'takes away column a.old' };

test('a database that nobody uses yet withholds nothing', async () => {
  write(A, 'CREATE TABLE a (id INT, old TEXT);');
  write(B, 'ALTER TABLE a DROP COLUMN old;');
  expect(await migrate(['status'], 'withhold')).toMatchObject({ result: 'pending', withheld: [] });
  expect(await migrate(['up'], 'withhold')).toMatchObject({ result: 'up to date', applied: [A, B], contracted: [] });
});

test('what only adds goes before the release, what takes away when it is agreed to', async () => {
  await released();
  expect(await migrate(['up'], 'withhold')).toMatchObject({
    result: 'expanded',
    applied: [C],
    pending: [B],
    withheld: [WITHHELD],
    contracted: [],
    irreversible: [],
  });
  expect(await columns()).toEqual(['id', 'new', 'old']);
  expect(await migrate(['up'], 'withhold')).toMatchObject({ result: 'expanded', applied: [], withheld: [WITHHELD] });
  expect(await migrate(['up'], `20200101000000_other,${C}`)).toMatchObject({
    result: 'expanded',
    withheld: [WITHHELD],
  });
  const agreed = await migrate(['up'], ` ${B} , ${C}`);
  expect(agreed).toMatchObject({
    result: 'up to date',
    applied: [B],
    contracted: [B],
    irreversible: [B],
    withheld: [],
    late: [B],
  });
  expect(agreed.message).toBeUndefined();
  expect(await columns()).toEqual(['id', 'new']);
  expect(await migrate(['up'], B)).toMatchObject({ result: 'up to date', applied: [], contracted: [] });
});

test('agreed to before the release, both go in order; by hand all go, and are named', async () => {
  await released();
  expect(await migrate(['up'], B)).toMatchObject({ applied: [B, C], contracted: [B], irreversible: [B] });
  write('20260104000000_d', 'DROP TABLE a;');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', contracted: ['20260104000000_d'] });
});

test('status says what would be taken away, and what is pending under which agreement', async () => {
  await released();
  for (const contract of ['', 'all', 'withhold'])
    expect(await migrate(['status'], contract)).toMatchObject({
      result: 'pending',
      pending: [B, C],
      withheld: [WITHHELD],
    });
  expect(await migrate(['status'], B)).toMatchObject({ result: 'pending', withheld: [] });
  await migrate(['up'], 'withhold');
  expect(await migrate(['status'], 'withhold')).toMatchObject({ result: 'expanded', withheld: [WITHHELD] });
  expect(await migrate(['status'])).toMatchObject({ result: 'pending', withheld: [WITHHELD] });
});

test('what needs what was withheld fails, with what was done and what is missing', async () => {
  await released();
  write(B, 'ALTER TABLE a RENAME COLUMN old TO title;');
  write('20260104000000_d', 'CREATE INDEX a_title ON a (title);');
  expect(await migrate(['up'], 'withhold')).toMatchObject({
    result: 'failed',
    failed: ['20260104000000_d'],
    applied: [C],
    withheld: [{ id: B, what: 'renames column a.old to title' }],
    message: expect.stringMatching(
      /"title" does not exist.*; withheld: 20260102000000_b \(renames column a.old to title\)$/,
    ),
  });
});

test('what was contracted before the end of a run that failed is not lost', async () => {
  await released();
  write(C, 'SELECT nothing;');
  expect(await migrate(['up'], B)).toMatchObject({ result: 'failed', failed: [C], applied: [B], contracted: [B] });
});

test('an image of before the contract knows that its schema is gone ahead', async () => {
  await released();
  await migrate(['up']);
  const older = temporaryFolder('devshelf-older-');
  mkdirSync(join(older.path, A));
  writeFileSync(join(older.path, A, 'migration.sql'), 'CREATE TABLE a (id INT, old TEXT);');
  const more = { MIGRATIONS_DIR: older.path };
  expect(await migrate(['up'], 'withhold', more)).toMatchObject({ result: 'up to date', ahead: [B, C] });
  older.remove();
});

/** Each adds a column to table a, which A made. */
async function threeColumns(): Promise<void> {
  write(A, 'CREATE TABLE a (id INT);', 'DROP TABLE a;');
  write(B, 'ALTER TABLE a ADD COLUMN b INT;', 'ALTER TABLE a DROP COLUMN b;');
  write(C, 'ALTER TABLE a ADD COLUMN c INT DEFAULT 7;', 'ALTER TABLE a DROP COLUMN c;');
  await migrate(['up']);
}

test('down --only undoes exactly these, the one applied last first; what is undone already is done', async () => {
  await threeColumns();
  expect(await migrate(['down', '--only', B])).toMatchObject({ result: 'reverted', reverted: [B], pending: [B] });
  expect(await migrate(['down', '--only', `${B},${C}`])).toMatchObject({ result: 'reverted', reverted: [C] });
  expect(await migrate(['down', '--only', `${B},${C}`])).toMatchObject({ result: 'reverted', reverted: [] });
  expect(await columns()).toEqual(['id']);
  await migrate(['up']);
  expect(await migrate(['down', '--only', `${B},${C}`])).toMatchObject({ reverted: [C, B] });
});

test.each([[[]], [['--if-lossless']]])(
  'down --only refuses before any SQL, and stops where another depends on it %j',
  async flags => {
    await threeColumns();
    const only = (ids: string) => migrate(['down', '--only', ids, ...flags]);
    expect(await only(`${C},nowhere`)).toMatchObject({
      result: 'refused',
      lost: [],
      message: 'never applied here: nowhere; nothing was undone',
    });
    write('20260104000000_d', 'CREATE VIEW v AS SELECT b FROM a;');
    await migrate(['up']);
    expect(await only(`${C},20260104000000_d`)).toMatchObject({
      result: 'refused',
      message: expect.stringContaining('no down.sql'),
    });
    expect(await only(B)).toMatchObject({
      result: 'failed',
      failed: [B],
      reverted: [],
      message: expect.stringContaining('view v depends on column b'),
    });
    expect(await columns()).toEqual(['b', 'c', 'id']);
  },
);

test('one that cannot be undone after another was: what was undone is said', async () => {
  await threeColumns();
  await query(url, 'CREATE VIEW v AS SELECT b FROM a');
  expect(await migrate(['down', '--only', `${B},${C}`])).toMatchObject({
    result: 'failed',
    reverted: [C],
    failed: expect.arrayContaining([B]),
  });
  await migrate(['up']);
  expect((await migrate(['down', '--only', `${B},${C}`, '--if-lossless'])).result).toBe('failed');
  expect(await columns()).toEqual(['b', 'c', 'id']);
});

test.each([
  ['an empty table', 'CREATE TABLE n (id INT);', 'DROP TABLE n;', '', []],
  [
    'rows of a table',
    'CREATE TABLE n (id INT);',
    'DROP TABLE n;',
    'INSERT INTO n SELECT generate_series(1, 1204)',
    ['table n: 1204 rows'],
  ],
  [
    'a column that nobody filled',
    'ALTER TABLE a ADD n INT, ADD m INT DEFAULT 3;',
    'ALTER TABLE a DROP n, DROP m;',
    '',
    [],
  ],
  [
    'values of a column',
    'ALTER TABLE a ADD n INT, ADD m INT DEFAULT 3;',
    'ALTER TABLE a DROP n, DROP m;',
    'UPDATE a SET n = 1, m = id + 2',
    ['column a.n: 2 values', 'column a.m: 1 values'],
  ],
  ['json, which cannot be compared', "ALTER TABLE a ADD n JSON DEFAULT '{}';", 'ALTER TABLE a DROP n;', '', []],
  ['what is computed', 'ALTER TABLE a ADD n INT GENERATED ALWAYS AS (id * 2) STORED;', 'ALTER TABLE a DROP n;', '', []],
  ['numbers of a sequence', 'ALTER TABLE a ADD n SERIAL;', 'ALTER TABLE a DROP n;', '', ['column a.n: 2 values']],
  [
    'a type',
    'ALTER TABLE a ADD n BIGINT;',
    'ALTER TABLE a ALTER n TYPE INT;',
    'UPDATE a SET n = 1 WHERE id = 1',
    ['column a.n: 1 values'],
  ],
  ['a type that nobody filled', 'ALTER TABLE a ADD n BIGINT;', 'ALTER TABLE a ALTER n TYPE INT;', '', []],
  [
    'values that are written anew in the same type',
    'ALTER TABLE a ADD n TEXT;',
    'ALTER TABLE a ALTER n TYPE TEXT USING left(n, 3);',
    "UPDATE a SET n = 'shipped' WHERE id = 1",
    ['table a: values of 2 rows are written anew'],
  ],
  [
    'a value of an enumeration, taken out by another type of the same name',
    "CREATE TYPE e AS ENUM ('x', 'y'); ALTER TABLE a ADD n e;",
    "CREATE TYPE f AS ENUM ('x'); ALTER TABLE a ALTER n TYPE f USING CASE n WHEN 'x' THEN 'x'::f END; DROP TYPE e; ALTER TYPE f RENAME TO e;",
    "UPDATE a SET n = 'y' WHERE id = 1",
    ['column a.n: 1 values'],
  ],
  [
    'a table that is written anew as it was',
    'ALTER TABLE a ADD n INT DEFAULT 1;',
    'ALTER TABLE a ADD m FLOAT DEFAULT random(); ALTER TABLE a DROP m, DROP n;',
    '',
    [],
  ],
  [
    'rows that it deletes',
    'INSERT INTO a VALUES (3);',
    'DELETE FROM a WHERE id = 3;',
    '',
    ['table a: 1 rows deleted or changed'],
  ],
  ['rows that it empties', 'INSERT INTO a VALUES (3);', 'TRUNCATE a;', '', ['table a: 3 rows']],
  [
    'an index, a view, a function',
    "CREATE INDEX i ON a (id); CREATE VIEW v AS SELECT * FROM a; CREATE FUNCTION f() RETURNS INT LANGUAGE sql AS 'SELECT 1';",
    'DROP INDEX i; DROP VIEW v; DROP FUNCTION f();',
    '',
    [],
  ],
  [
    'a partition',
    'CREATE TABLE n (id INT) PARTITION BY LIST (id); CREATE TABLE n1 PARTITION OF n FOR VALUES IN (1);',
    'DROP TABLE n;',
    'INSERT INTO n VALUES (1)',
    ['table n1: 1 rows'],
  ],
])('down --if-lossless: %s', async (_case, sql, down, meanwhile, lost) => {
  write(A, 'CREATE TABLE a (id INT); INSERT INTO a VALUES (1), (2);', 'DROP TABLE a;');
  write(B, sql, down);
  await migrate(['up']);
  if (meanwhile !== '') await query(url, meanwhile);
  const verdict = await migrate(['down', '--only', B, '--if-lossless']);
  expect(verdict).toMatchObject({
    result: lost.length > 0 ? 'refused' : 'reverted',
    lost,
    reverted: lost.length > 0 ? [] : [B],
  });
  expect(await migrate(['status'])).toMatchObject({ pending: lost.length > 0 ? [] : [B] });
  if (lost.length > 0)
    expect(verdict.message).toContain(`would be lost: ${lost.join(', ')}. \`migrate down --only ${B}\``);
});

test('down --if-lossless undoes all, or none', async () => {
  await threeColumns();
  await query(url, 'INSERT INTO a (b) VALUES (1)');
  const both = ['down', '--only', `${B},${C}`, '--if-lossless'];
  expect(await migrate(both)).toMatchObject({ result: 'refused', lost: ['column a.b: 1 values'], reverted: [] });
  expect(await columns()).toEqual(['b', 'c', 'id']);
  await query(url, 'UPDATE a SET b = NULL');
  expect(await migrate(both)).toMatchObject({ result: 'reverted', reverted: [C, B] });
});

test('a release of many migrations names all that it applied, and all of them are undone', async () => {
  write(A, 'CREATE TABLE a (id INT);', 'DROP TABLE a;');
  await migrate(['up']);
  const ids = Array.from({ length: 40 }, (_, index) => `202601020000${index + 10}_adds_a_column_with_a_long_name`);
  for (const [index, id] of ids.entries())
    write(id, `ALTER TABLE a ADD COLUMN c${index} TEXT;`, `ALTER TABLE a DROP COLUMN c${index};`);
  const { applied, more } = await migrate(['up'], 'withhold');
  expect({ applied, more }).toEqual({ applied: ids, more: undefined });
  const undone = await migrate(['down', '--only', applied.join(), '--if-lossless']);
  expect(undone).toMatchObject({ result: 'reverted', failed: [], lost: [] });
  expect(await columns()).toEqual(['id']);
});

test('a row that is written meanwhile is counted', async () => {
  write(A, 'CREATE TABLE a (id INT);', 'DROP TABLE a;');
  await migrate(['up']);
  const writer = new Client({ connectionString: url });
  await writer.connect();
  await writer.query('BEGIN; INSERT INTO a VALUES (1)');
  const verdict = migrate(['down', '--only', A, '--if-lossless']);
  const waits = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'migrate' AND wait_event_type = 'Lock'";
  await until('it waits for the writer', async () => (await query(url, waits)).length > 0);
  await writer.query('COMMIT');
  await writer.end();
  expect(await verdict).toMatchObject({ result: 'refused', lost: ['table a: 1 rows'] });
});
