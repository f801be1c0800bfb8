// Marks and ways back, judged by a database.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { query, startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { type TemporaryFolder, temporaryFolder } from '../testing/processes.ts';
import { CONTRACTING, EXPANDING, STAGE } from './contract-cases.ts';
import { takeInventory } from './inventory.ts';
import { judge } from './judgement.ts';
import { runMigrate } from './testing.ts';

const A = '20260101000000_a';
const B = '20260102000000_b';
const WAY_BACK = '-- devshelf:irreversible it is only looked at\n';

let postgres: TestPostgres;
let stage: string;
let folder: TemporaryFolder;
beforeAll(async () => {
  postgres = await startPostgres();
  stage = await postgres.createDatabase('stage');
  await query(stage, STAGE);
}, 60_000);
afterAll(() => postgres?.remove());
beforeEach(() => {
  folder = temporaryFolder('devshelf-lint-');
  write(A, STAGE);
});
afterEach(() => folder.remove());

function write(id: string, sql: string, down?: string): void {
  mkdirSync(join(folder.path, id), { recursive: true });
  writeFileSync(join(folder.path, id, 'migration.sql'), sql);
  if (down !== undefined) writeFileSync(join(folder.path, id, 'down.sql'), down);
}

const lint = (directory = folder.path, only: readonly string[] = ['--only', B]) =>
  runMigrate(['lint', '--scratch', postgres.url, ...only], { MIGRATIONS_DIR: directory });

const SCRATCH = "SELECT 1 FROM pg_database WHERE datname LIKE 'migrate%'";

/** What the catalogue says of a statement that is taken back. */
async function judgementOf(sql: string) {
  const client = new Client({ connectionString: stage });
  await client.connect();
  try {
    const before = await takeInventory(client, 'public');
    await client.query('BEGIN');
    await client.query(sql);
    return judge(before, await takeInventory(client, 'public'));
  } finally {
    await client.end();
  }
}

test.each(CONTRACTING.map(each => [each.sql, each] as const))(
  'contracting: %s',
  async (_sql, { sql, text, catalogue = text }) => {
    const { takes } = await judgementOf(sql);
    if (catalogue === null) expect(takes).toEqual([]);
    else expect(takes).toContain(catalogue);
  },
);

test.each(EXPANDING.map(({ sql }) => [sql]))('expanding: %s', async sql => {
  expect((await judgementOf(sql)).takes).toEqual([]);
});

test('a mark decides in the cluster, and the database about the mark', async () => {
  write(B, `${WAY_BACK}-- devshelf:expand nobody reads it\nALTER TABLE t DROP COLUMN b;`);
  expect(await lint()).toMatchObject({ faults: [`${B}: is marked devshelf:expand and takes away column t.b`] });
  write(B, `${WAY_BACK}-- devshelf:contract it is renamed\nALTER TABLE t DROP COLUMN b;`);
  expect(await lint()).toMatchObject({ result: 'clean', withheld: [{ id: B, what: 'takes away column t.b' }] });
});

test.each([
  ['no way back, and no word', 'CREATE TABLE n ();', undefined, 'has no down.sql'],
  ['a word, and a way back', `${WAY_BACK}CREATE TABLE n ();`, 'DROP TABLE n;', 'marked devshelf:irreversible and has'],
  [
    'half of a way back',
    'CREATE TABLE n (); CREATE TABLE m ();',
    'DROP TABLE n;',
    'does not lead back: table m is there',
  ],
  ['too much of it', 'CREATE INDEX i ON t (a);', 'DROP INDEX i; DROP VIEW v;', 'does not lead back: view v is missing'],
  [
    'another way',
    'ALTER TABLE t ALTER b SET DEFAULT 1;',
    'ALTER TABLE t ALTER b DROP DEFAULT;',
    'column t.b is otherwise',
  ],
  ['one that fails', 'CREATE TABLE n ();', 'DROP TABLE m;', 'table "m" does not exist'],
  ['a mark for nothing', '-- devshelf:contract no\nCREATE TABLE n ();', 'DROP TABLE n;', 'and takes nothing away'],
  ['words that only look so', 'ALTER TABLE t ADD k INT; ALTER TABLE t DROP k;', 'SELECT 1;', undefined],
  ['a drop that is undone', 'DROP VIEW v; CREATE VIEW v AS SELECT a FROM t;', 'SELECT 1;', 'devshelf:expand'],
  [
    'what only the database sees',
    'CREATE UNIQUE INDEX i ON u (id); ALTER TABLE t DROP CONSTRAINT t_pkey;',
    'ALTER TABLE t ADD PRIMARY KEY (id); DROP INDEX i;',
    undefined,
  ],
  [
    'a unique key that ON CONFLICT needs',
    'ALTER TABLE t DROP CONSTRAINT t_pkey;',
    'ALTER TABLE t ADD PRIMARY KEY (id);',
    'takes away constraint t_pkey of t',
  ],
])('%s', async (_case, sql, down, fault) => {
  write(B, sql, down);
  expect(await lint()).toMatchObject(
    fault === undefined ? { result: 'clean' } : { result: 'faulty', faults: [expect.stringContaining(fault)] },
  );
});

test('nothing of the scratch database is left, and nothing of the one that was named is touched', async () => {
  write(B, 'SELECT nothing;', 'SELECT 1;');
  expect(await lint()).toMatchObject({ result: 'failed', failed: [B] });
  expect(await query(postgres.url, SCRATCH)).toEqual([]);
  expect(await query(postgres.url, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
});

test.each([
  ['an id of nobody', ['lint', '--scratch', 'postgresql://x/y', '--only', 'nowhere']],
  ['no URL', ['lint', '--scratch', 'nowhere']],
  ['ids without a scratch database', ['lint', '--only', A]],
])('misused: %s', async (_case, args) => {
  expect(await runMigrate(args, { MIGRATIONS_DIR: folder.path })).toMatchObject({ result: 'misused' });
});

test.each(['devshelf', 'dashboard'])(
  "%s's own migrations have the marks that they need, and lead back",
  async service => {
    const directory = new URL(`../../${service}/prisma/migrations`, import.meta.url).pathname;
    expect(await lint(directory, [])).toMatchObject({ result: 'clean', faults: [], withheld: [] });
  },
);
