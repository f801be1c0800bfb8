import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { startPgBouncer } from '../testing/pgbouncer.ts';
import { query, startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { freePort, stopProcess, type TemporaryFolder, temporaryFolder, until } from '../testing/processes.ts';
import { migrateCli } from './cli.ts';
import { EXIT_CODES, type Verdict } from './verdict.ts';

const MIGRATE = new URL('../../devshelf/migrate.ts', import.meta.url).pathname;

let postgres: TestPostgres;
let databaseUrl: string;
let folder: TemporaryFolder;
let databases = 0;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.remove());
beforeEach(async () => {
  databases += 1;
  databaseUrl = await postgres.createDatabase(`migrate_${databases}`);
  folder = temporaryFolder('devshelf-migrate-');
});
afterEach(() => folder.remove());

function write(id: string, sql: string | Buffer, down?: string): void {
  mkdirSync(join(folder.path, id), { recursive: true });
  writeFileSync(join(folder.path, id, 'migration.sql'), sql);
  if (down !== undefined) writeFileSync(join(folder.path, id, 'down.sql'), down);
}

type Run = { readonly child: ChildProcess; readonly terminationLog: string };
let runs = 0;

/** Starts the real command. Like a pod, each run has a termination log of its own. */
function begin(args: readonly string[], environment: Record<string, string> = {}): Run {
  runs += 1;
  const terminationLog = join(folder.path, `termination-log-${runs}`);
  writeFileSync(terminationLog, '');
  const child = spawn(process.execPath, [MIGRATE, ...args], {
    env: {
      DATABASE_URL: databaseUrl,
      MIGRATIONS_DIR: folder.path,
      TERMINATION_LOG: terminationLog,
      MIGRATE_LOCK_TIMEOUT_MS: '300',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { child, terminationLog };
}

/** Waits for its end and checks what every run promises. */
async function end({ child, terminationLog }: Run): Promise<Verdict> {
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout ?? []) chunks.push(chunk);
  await until('migrate ends', () => child.exitCode !== null);
  const lastLine = Buffer.concat(chunks).toString().trimEnd().split('\n').at(-1) ?? '';
  const verdict = JSON.parse(lastLine) as Verdict;
  expect(readFileSync(terminationLog, 'utf8')).toBe(lastLine);
  expect(child.exitCode).toBe(EXIT_CODES[verdict.result]);
  return verdict;
}

const migrate = (args: readonly string[], environment?: Record<string, string>) => end(begin(args, environment));

const tables = async () => {
  const rows = await query(
    databaseUrl,
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'",
  );
  return rows
    .map(row => row['name'])
    .filter(name => name !== '_prisma_migrations')
    .sort();
};

const A = '20260101000000_a';
const B = '20260102000000_b';

test('up applies what is pending, in order, and finds nothing to do the second time', async () => {
  write(B, 'ALTER TABLE a ADD COLUMN note TEXT;');
  write(A, 'CREATE TABLE a (id INT);');
  expect(await migrate(['status'])).toMatchObject({ result: 'pending', pending: [A, B], withheld: [] });
  expect(await tables()).toEqual([]);
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [A, B], pending: [] });
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [] });
  expect(await migrate(['status'])).toMatchObject({ result: 'up to date' });
});

test("the history is Prisma's: its checksum and one finished row for each migration", async () => {
  write(A, 'CREATE TABLE a (id INT);');
  await migrate(['up']);
  const rows = await query(databaseUrl, 'SELECT * FROM _prisma_migrations');
  expect(rows).toEqual([
    expect.objectContaining({
      migration_name: A,
      // sha256sum of the file
      checksum: '68c72ccd0cc5a7f8c8937c2debc79aff2d9b864d71f63d48fd571c5f61faf5d4',
      finished_at: expect.any(Date),
      rolled_back_at: null,
      logs: null,
      applied_steps_count: 1,
    }),
  ]);
});

test('a failing second statement leaves nothing of its migration, and the one before it stays', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  write(B, 'CREATE TABLE b (id INT);\nALTER TABLE nowhere ADD COLUMN x INT;');
  const verdict = await migrate(['up']);
  expect(verdict).toMatchObject({ result: 'failed', failed: [B] });
  expect(verdict.message).toBe(`${B}: relation "nowhere" does not exist (SQLSTATE 42P01)`);
  expect(await tables()).toEqual(['a']);
  write(B, 'CREATE TABLE b (id INT);');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [B] });
});

test('killed in the middle, nothing is left of it, its statement stops and the next run completes', async () => {
  write(A, 'CREATE TABLE a (id INT); SELECT pg_sleep(30);');
  const { child } = begin(['up']);
  const asleep = async () =>
    (
      await query(
        databaseUrl,
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'migrate' AND query LIKE '%pg_sleep%'",
      )
    ).length > 0;
  await until('the migration sleeps', asleep);
  await stopProcess(child, 'SIGKILL');
  await until('its statement stops', async () => !(await asleep()));
  expect(await tables()).toEqual([]);
  write(A, 'CREATE TABLE a (id INT);');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [A] });
});

test('a table that others hold is tried again, then the run gives up as locked without a trace', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  await migrate(['up']);
  write(B, 'CREATE TABLE b (id INT); ALTER TABLE a ADD COLUMN note TEXT;');
  const holder = new Client({ connectionString: databaseUrl });
  await holder.connect();
  await holder.query('BEGIN; SELECT * FROM a;');
  let hasEnded = false;
  const trying = migrate(['up']).finally(() => {
    hasEnded = true;
  });
  const waits = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'migrate' AND wait_event_type = 'Lock'";
  await until('it waits for the table', async () => (await query(databaseUrl, waits)).length > 0);
  // who reads queues behind it for one turn, not until it gives up
  expect(await query(databaseUrl, 'SELECT * FROM a')).toEqual([]);
  expect(hasEnded).toBe(false);
  expect(await trying).toMatchObject({ result: 'locked', applied: [] });
  expect(await tables()).toEqual(['a']);
  const retrying = migrate(['up'], { MIGRATE_LOCK_TIMEOUT_MS: '1000' });
  await new Promise(resolve => setTimeout(resolve, 1_500));
  await holder.end();
  expect(await retrying).toMatchObject({ result: 'up to date', applied: [B] });
});

test('a migration that gives way in a deadlock is tried again', async () => {
  write(A, 'CREATE TABLE a (id INT); CREATE TABLE b (id INT);');
  await migrate(['up']);
  // it waits as long as PostgreSQL takes to see a deadlock, and is the one that sees it first
  write(B, 'LOCK TABLE a; SELECT pg_sleep(0.5); LOCK TABLE b; ALTER TABLE a ADD COLUMN note TEXT;');
  const holder = new Client({ connectionString: databaseUrl });
  await holder.connect();
  await holder.query('BEGIN; SET LOCAL deadlock_timeout = 60000; LOCK TABLE b;');
  const retrying = migrate(['up'], { MIGRATE_LOCK_TIMEOUT_MS: '20000' });
  const other = holder.query('LOCK TABLE a; COMMIT;');
  expect(await retrying).toMatchObject({ result: 'up to date', applied: [B] });
  await other;
  await holder.end();
});

test('two at once: one applies, the other waits and finds nothing to do', async () => {
  write(A, 'CREATE TABLE a (id INT); SELECT pg_sleep(1);');
  const verdicts = await Promise.all([migrate(['up']), migrate(['up'])]);
  expect(verdicts.map(({ result }) => result)).toEqual(['up to date', 'up to date']);
  expect(verdicts.flatMap(({ applied }) => applied)).toEqual([A]);
});

test('another run that does not end makes this one give up as locked, and none on another database', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  const holder = new Client({ connectionString: databaseUrl });
  await holder.connect();
  await holder.query('SELECT pg_advisory_lock(72707369)');
  expect(await migrate(['up'], { MIGRATE_WAIT_MS: '300' })).toMatchObject({ result: 'locked' });
  expect(await tables()).toEqual([]);
  const DATABASE_URL = await postgres.createDatabase(`migrate_${databases}_beside`);
  expect(await migrate(['up'], { DATABASE_URL, MIGRATE_WAIT_MS: '300' })).toMatchObject({ result: 'up to date' });
  await holder.end();
});

test('an edited file is named and nothing more is applied', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  await migrate(['up']);
  write(A, 'CREATE TABLE a (id BIGINT);');
  write(B, 'CREATE TABLE b (id INT);');
  expect(await migrate(['up'])).toMatchObject({ result: 'edited', edited: [A], pending: [B] });
  expect(await tables()).toEqual(['a']);
});

test('a database ahead of the image is up to date: the older release may run beside the newer schema', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  write(B, 'CREATE TABLE b (id INT);');
  await migrate(['up']);
  const older = temporaryFolder('devshelf-older-');
  mkdirSync(join(older.path, A));
  writeFileSync(join(older.path, A, 'migration.sql'), 'CREATE TABLE a (id INT);');
  expect(await migrate(['up'], { MIGRATIONS_DIR: older.path })).toMatchObject({ result: 'up to date', ahead: [B] });
  older.remove();
});

test('without a transaction: a failure is written down and refused until a person has looked', async () => {
  const steps = '-- devshelf:no-transaction\nCREATE TABLE a (id INT);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n';
  write(A, `${steps}DO $$ BEGIN PERFORM 'a;--b'; END $$;\nSELECT nothing;`);
  expect(await migrate(['up'])).toMatchObject({
    result: 'failed',
    failed: [A],
    message: expect.stringContaining('"nothing" does not exist (SQLSTATE 42703, line 5)'),
  });
  expect(await tables()).toEqual(['a']);
  const again = await migrate(['up']);
  expect(again).toMatchObject({ result: 'failed', failed: [A], message: expect.stringContaining('migrate resolve') });
  await query(databaseUrl, 'DROP TABLE a; UPDATE _prisma_migrations SET rolled_back_at = now()');
  write(A, steps);
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [A] });
});

test('without a transaction: killed in the middle it is interrupted, and refused', async () => {
  write(A, '-- devshelf:no-transaction\nCREATE TABLE a (id INT);\nSELECT pg_sleep(30);');
  const { child } = begin(['up']);
  await until('the first statement is done', async () => (await tables()).length === 1);
  await stopProcess(child, 'SIGKILL');
  await until('the lock is free', async () => {
    return (await query(databaseUrl, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")).length === 0;
  });
  expect(await migrate(['up'])).toMatchObject({ result: 'interrupted', interrupted: [A] });
  expect(await migrate(['down'])).toMatchObject({ result: 'interrupted' });
  await query(databaseUrl, 'UPDATE _prisma_migrations SET finished_at = now()');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [] });
});

test('down undoes the newest; with --to all that are newer; up brings them back', async () => {
  const C = '20260103000000_c';
  for (const [id, table] of [
    [A, 'a'],
    [B, 'b'],
    [C, 'c'],
  ] as const) {
    write(id, `CREATE TABLE ${table} (id INT);`, `DROP TABLE ${table};`);
  }
  await migrate(['up']);
  expect(await migrate(['down'])).toMatchObject({ result: 'reverted', reverted: [C], pending: [C] });
  await migrate(['up']);
  expect(await migrate(['down', '--to', A])).toMatchObject({ result: 'reverted', reverted: [C, B], pending: [B, C] });
  expect(await tables()).toEqual(['a']);
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [B, C] });
});

test('down refuses before any SQL when one down.sql is missing', async () => {
  const C = '20260103000000_c';
  write(A, 'CREATE TABLE a (id INT);');
  write(B, 'CREATE TABLE b (id INT);');
  write(C, 'CREATE TABLE c (id INT);', 'DROP TABLE c;');
  await migrate(['up']);
  const verdict = await migrate(['down', '--to', A]);
  expect(verdict).toMatchObject({ result: 'refused', message: expect.stringContaining(B) });
  expect(await tables()).toEqual(['a', 'b', 'c']);
  expect(await migrate(['down', '--to', 'nowhere'])).toMatchObject({ result: 'refused' });
});

test('status says what the running release could not live with', async () => {
  write(A, 'CREATE TABLE a (id INT, old INT);');
  await migrate(['up']);
  write(B, 'ALTER TABLE a DROP COLUMN old;');
  expect(await migrate(['status'])).toMatchObject({
    result: 'pending',
    withheld: [{ id: B, what: 'takes away column a.old' }],
  });
  expect(await migrate(['lint'])).toMatchObject({
    result: 'contract',
    withheld: [{ id: B, what: 'takes away column a.old' }],
  });
});

test('a database that is not there is unreachable, and the verdict holds no password', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  const port = await freePort();
  const nowhere = { DATABASE_URL: `postgresql://ana:s3cret@127.0.0.1:${port}/x` };
  expect(await migrate(['up'], nowhere)).toMatchObject({
    result: 'unreachable',
    message: expect.not.stringContaining('s3cret'),
  });
  const unknown = { DATABASE_URL: databaseUrl.replace(/\w+$/, 'unknown') };
  expect(await migrate(['up'], unknown)).toMatchObject({ result: 'unreachable' });
});

test('a database that stands still is unreachable, not waited for without end', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  postgres.pause();
  try {
    expect(await migrate(['up'], { MIGRATE_CONNECT_TIMEOUT_MS: '500' })).toMatchObject({ result: 'unreachable' });
  } finally {
    postgres.resume();
  }
});

test.each([
  ['goes away', () => postgres.stop().then(() => postgres.start())],
  ['crashes', crash],
])('a database that %s in the middle is unreachable, and nothing is left', async (_how, fault) => {
  write(A, 'CREATE TABLE a (id INT); SELECT pg_sleep(30);');
  const running = migrate(['up']);
  await until('the migration sleeps', isAsleep);
  await fault();
  expect(await running).toMatchObject({ result: 'unreachable' });
  expect(await tables()).toEqual([]);
  write(A, 'CREATE TABLE a (id INT);');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [A] });
});

/** One of its processes is killed: it cuts all connections, from another's on nobody gets in, and recovers. */
async function crash(): Promise<void> {
  const [backend] = await query(databaseUrl, ASLEEP);
  const another = query(databaseUrl, 'SELECT pg_sleep(60)').catch(() => []);
  await until('another is there', async () => {
    const rows = await query(databaseUrl, "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'");
    return rows.length > 0;
  });
  process.kill(Number(backend?.['pid']), 'SIGKILL');
  await another;
  await until('it has recovered', () =>
    query(databaseUrl, 'SELECT 1').then(
      () => true,
      () => false,
    ),
  );
}

const FAULTY = '20260101000000_a/migration.sql is not UTF-8';

test.each([
  ['Latin-1', Buffer.from('CREATE TABLE a ();\n-- Categor\xeda', 'latin1'), `${FAULTY}: byte 29 (line 2) is 0xed`],
  ['UTF-16', Buffer.from('\uFEFFCREATE TABLE a ();', 'utf16le'), `${FAULTY}: it begins as UTF-16 does`],
  ['UTF-16 without a mark', Buffer.from('CREATE TABLE a ();', 'utf16le'), `${FAULTY}: byte 1 is zero`],
])('a file in %s is refused before any SQL, with its name and the place', async (_encoding, bytes, words) => {
  write(A, bytes);
  expect(await migrate(['up'])).toMatchObject({ result: 'misused', message: expect.stringContaining(words) });
  expect(await tables()).toEqual([]);
});

test('a byte-order mark is no SQL; its checksum is that of the file, as for Prisma', async () => {
  write(A, '\uFEFFCREATE TABLE a (id INT);');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [A] });
  const [row] = await query(databaseUrl, 'SELECT checksum FROM _prisma_migrations');
  const sum = createHash('sha256').update(readFileSync(join(folder.path, A, 'migration.sql')));
  expect(row).toEqual({ checksum: sum.digest('hex') });
});

test('an applied file with other line ends is the same file, either way', async () => {
  write(A, 'CREATE TABLE a (\n  id INT\n);\n');
  write(B, 'CREATE TABLE b (\r\n  id INT\r\n);\r\n');
  await migrate(['up']);
  write(A, 'CREATE TABLE a (\r\n  id INT\r\n);\r\n');
  write(B, 'CREATE TABLE b (\n  id INT\n);\n');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', edited: [], applied: [] });
});

test('a folder that holds no migrations is not up to date', async () => {
  expect(await migrate(['up'])).toMatchObject({
    result: 'misused',
    message: expect.stringContaining('holds no migrations'),
  });
});

test('a folder without its file is named', async () => {
  mkdirSync(join(folder.path, A));
  const message = expect.stringContaining(`${A}/migration.sql`);
  expect(await migrate(['up'])).toMatchObject({ result: 'misused', message });
});

test('files of megabytes are applied within the memory of a Job', async () => {
  const rows = Array.from(
    { length: 40_000 },
    (_, id) => `INSERT INTO a VALUES (${id}, 'producto número ${id}; "y" más');`,
  );
  write(A, `CREATE TABLE a (id INT, name TEXT);\n${rows.join('\n')}`);
  write(
    B,
    `-- devshelf:no-transaction\n${rows.slice(0, 500).join('\n')}\nINSERT INTO a VALUES (0, '${'x'.repeat(8e6)}');`,
  );
  const NODE_OPTIONS = '--max-old-space-size=128';
  expect(await migrate(['up'], { NODE_OPTIONS })).toMatchObject({ result: 'up to date', applied: [A, B] });
  expect(await query(databaseUrl, 'SELECT count(*)::int FROM a')).toEqual([{ count: 40_501 }]);
});

test('an applied migration under another name is not run twice', async () => {
  write(A, 'CREATE TABLE IF NOT EXISTS a (id INT); INSERT INTO a VALUES (1);');
  await migrate(['up']);
  renameSync(join(folder.path, A), join(folder.path, `${A}_renamed`));
  expect(await migrate(['up'])).toMatchObject({
    result: 'renamed',
    renamed: [`${A}_renamed`],
    message: expect.stringContaining(`${A}_renamed is ${A}`),
  });
  expect(await query(databaseUrl, 'SELECT * FROM a')).toHaveLength(1);
});

test('what was merged late is said, and down undoes what was applied last', async () => {
  const C = '20260103000000_c';
  write(A, 'CREATE TABLE a (id INT);', 'DROP TABLE a;');
  write(C, 'CREATE TABLE c (id INT);', 'DROP TABLE c;');
  await migrate(['up']);
  write(B, 'CREATE TABLE b (id INT);', 'DROP TABLE b;');
  expect(await migrate(['status'])).toMatchObject({ result: 'pending', pending: [B], late: [B] });
  expect(await migrate(['up'])).toMatchObject({
    result: 'up to date',
    applied: [B],
    late: [B],
    message: expect.stringContaining('merged late'),
  });
  expect(await migrate(['down'])).toMatchObject({ result: 'reverted', reverted: [B] });
  await migrate(['up']);
  expect(await migrate(['down', '--to', A])).toMatchObject({ reverted: [B, C] });
});

test('a transaction of its own is refused before any SQL, in a down.sql as well', async () => {
  write(A, 'BEGIN;\nCREATE TABLE a (id INT);\nCOMMIT;\nSELECT nothing;');
  expect(await migrate(['up'])).toMatchObject({
    result: 'misused',
    message: expect.stringContaining(`${A}/migration.sql, line 1: BEGIN has no place here`),
  });
  expect(await tables()).toEqual([]);
  write(A, 'CREATE TABLE a (id INT);', 'DROP TABLE a; COMMIT;');
  await migrate(['up']);
  expect(await migrate(['down'])).toMatchObject({
    result: 'misused',
    message: expect.stringContaining(`${A}/down.sql, line 1: COMMIT`),
  });
  expect(await tables()).toEqual(['a']);
});

test('one that was applied with a transaction of its own, by another runner, stays applied', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  await migrate(['up']);
  const sql = 'BEGIN; CREATE TABLE a (id INT); COMMIT;';
  write(A, sql);
  const checksum = createHash('sha256').update(sql).digest('hex');
  await query(databaseUrl, `UPDATE _prisma_migrations SET checksum = '${checksum}'`);
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date' });
});

test.each(['', '-- devshelf:no-transaction\n'])('what a file sets ends with it (%j)', async first => {
  write(A, `${first}SELECT pg_catalog.set_config('search_path', '', false);\nCREATE TABLE public.a (id INT);`);
  write(
    B,
    `${first}CREATE SCHEMA shop;\nSET search_path TO shop;\nCREATE ROLE r_${databases};\nSET ROLE r_${databases};`,
  );
  const C = '20260103000000_c';
  write(C, 'CREATE TABLE c (id INT);');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [A, B, C] });
  expect(await tables()).toEqual(['a', 'c']);
  const owners = await query(databaseUrl, "SELECT tableowner FROM pg_tables WHERE tablename = 'c'");
  expect(owners).toEqual([{ tableowner: 'postgres' }]);
});

test("Prisma's ?schema= is where the tables and the history are", async () => {
  await query(databaseUrl, 'CREATE SCHEMA shop');
  write(A, 'CREATE TABLE a (id INT);');
  const DATABASE_URL = `${databaseUrl}?schema=shop`;
  expect(await migrate(['up'], { DATABASE_URL })).toMatchObject({ result: 'up to date', applied: [A] });
  const found = await query(databaseUrl, "SELECT tablename FROM pg_tables WHERE schemaname = 'shop' ORDER BY 1");
  expect(found).toEqual([{ tablename: '_prisma_migrations' }, { tablename: 'a' }]);
  expect(await migrate(['up'], { DATABASE_URL })).toMatchObject({ result: 'up to date', applied: [] });
});

test('a search_path of the URL is where the tables and the history are', async () => {
  await query(databaseUrl, 'CREATE SCHEMA shop');
  write(A, 'CREATE TABLE a (id INT);');
  const DATABASE_URL = `${databaseUrl}?options=${encodeURIComponent('-c search_path=shop')}`;
  expect(await migrate(['up'], { DATABASE_URL })).toMatchObject({ result: 'up to date', applied: [A] });
  const found = await query(databaseUrl, "SELECT tablename FROM pg_tables WHERE schemaname = 'shop' ORDER BY 1");
  expect(found).toEqual([{ tablename: '_prisma_migrations' }, { tablename: 'a' }]);
  expect(await migrate(['up'], { DATABASE_URL })).toMatchObject({ result: 'up to date', applied: [] });
});

test.each([
  ['an extension that its role may not make', 'CREATE EXTENSION dblink;', 'permission denied to create extension'],
  ['no room', "DO $$ BEGIN RAISE 'no space left' USING ERRCODE = 'disk_full'; END $$;", 'no space left'],
])('%s: its words are said, and nothing is left', async (_case, sql, words) => {
  const role = `plain_${databases}`;
  const DATABASE_URL = databaseUrl.replace('postgres@', `${role}@`);
  await query(databaseUrl, `CREATE ROLE ${role} LOGIN`);
  write(A, 'CREATE TABLE a (id INT);');
  const denied = { result: 'failed', message: expect.stringContaining('permission denied for schema public') };
  expect(await migrate(['up'], { DATABASE_URL })).toMatchObject(denied);
  await query(databaseUrl, `GRANT CREATE ON SCHEMA public TO ${role}`);
  write(A, `CREATE TABLE a (id INT); ${sql}`);
  const failed = { result: 'failed', failed: [A], message: expect.stringContaining(words) };
  expect(await migrate(['up'], { DATABASE_URL })).toMatchObject(failed);
  expect(await tables()).toEqual([]);
});

test("a role's own statement timeout does not cut a migration short", async () => {
  const role = `hasty_${databases}`;
  await query(databaseUrl, `CREATE ROLE ${role} LOGIN SUPERUSER`);
  await query(databaseUrl, `ALTER ROLE ${role} SET statement_timeout = '100ms'`);
  write(A, 'SELECT pg_sleep(0.5);');
  const DATABASE_URL = databaseUrl.replace('postgres@', `${role}@`);
  expect(await migrate(['up'], { DATABASE_URL })).toMatchObject({ result: 'up to date' });
  expect(await migrate(['down'], { DATABASE_URL })).toMatchObject({ result: 'refused' });
});

test('an index that waits for an idle session gives up as locked, and the next run makes it', async () => {
  await query(databaseUrl, 'CREATE TABLE a AS SELECT 1 AS id');
  write(A, '-- devshelf:no-transaction\nSET statement_timeout = 0;\nCREATE INDEX CONCURRENTLY a_id ON a (id);');
  const idle = new Client({ connectionString: databaseUrl });
  await idle.connect();
  await idle.query('BEGIN; INSERT INTO a VALUES (2)');
  const locked = await migrate(['up']);
  expect(locked).toMatchObject({ result: 'locked', message: expect.stringContaining('public.a_id') });
  expect(await migrate(['status'])).toMatchObject({ result: 'pending', pending: [A], invalid: ['public.a_id'] });
  await idle.end();
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [A], invalid: [] });
  expect(await query(databaseUrl, 'SELECT 1 FROM pg_index WHERE NOT indisvalid')).toEqual([]);
});

test('an index is made while another run waits for this one: neither waits for the other for ever', async () => {
  await query(databaseUrl, 'CREATE TABLE a AS SELECT 1 AS id');
  write(A, '-- devshelf:no-transaction\nSELECT pg_advisory_lock(1);\nCREATE INDEX CONCURRENTLY a_id ON a (id);');
  const holder = new Client({ connectionString: databaseUrl });
  await holder.connect();
  await holder.query('SELECT pg_advisory_lock(1)');
  const runs = async () =>
    query(databaseUrl, "SELECT wait_event FROM pg_stat_activity WHERE application_name = 'migrate'");
  const first = migrate(['up'], { MIGRATE_LOCK_TIMEOUT_MS: '20000' });
  await until('it is at work', async () => (await runs()).some(({ wait_event: what }) => what === 'advisory'));
  const second = migrate(['up']);
  await until('the other one is there', async () => (await runs()).length > 1);
  await holder.end();
  expect(await first).toMatchObject({ result: 'up to date', applied: [A] });
  expect(await second).toMatchObject({ result: 'up to date', applied: [], invalid: [] });
});

test('an invalid index that a migration made is named, and its database not up to date', async () => {
  await query(databaseUrl, 'CREATE TABLE a (id INT)');
  await query(databaseUrl, 'INSERT INTO a VALUES (1), (1)');
  write(A, '-- devshelf:no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "a_Id" ON a (id);');
  expect(await migrate(['up'])).toMatchObject({
    result: 'failed',
    message: expect.stringMatching(/Key \(id\)=\(1\) is duplicated.*public\."a_Id"/),
  });
  await query(databaseUrl, 'UPDATE _prisma_migrations SET finished_at = now()');
  const broken = { result: 'invalid index', invalid: ['public."a_Id"'], message: expect.stringContaining('REINDEX') };
  expect(await migrate(['status'])).toMatchObject(broken);
  expect(await migrate(['up'])).toMatchObject(broken);
  await query(databaseUrl, 'UPDATE _prisma_migrations SET rolled_back_at = now()');
  await query(databaseUrl, 'DELETE FROM a');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [A] });
  expect(await query(databaseUrl, 'SELECT 1 FROM pg_index WHERE NOT indisvalid')).toEqual([]);
});

test("somebody else's invalid index is said and stops nothing", async () => {
  await query(databaseUrl, 'CREATE TABLE z AS SELECT 1 AS id FROM generate_series(1, 2)');
  await expect(query(databaseUrl, 'CREATE UNIQUE INDEX CONCURRENTLY z_id ON z (id)')).rejects.toThrow('z_id');
  write(A, 'CREATE TABLE a (id INT);');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', invalid: ['public.z_id'] });
});

test('a lock after something was done is for a person: it cannot begin again', async () => {
  await query(databaseUrl, 'CREATE TABLE a (id INT)');
  write(A, '-- devshelf:no-transaction\nCREATE TABLE b (id INT);\nALTER TABLE a ADD COLUMN note TEXT;');
  const holder = new Client({ connectionString: databaseUrl });
  await holder.connect();
  await holder.query('BEGIN; SELECT * FROM a');
  expect(await migrate(['up'])).toMatchObject({ result: 'failed', failed: [A] });
  await holder.end();
  expect(await migrate(['up'])).toMatchObject({ result: 'failed', failed: [A] });
});

test("PostgreSQL's hints are said", async () => {
  write(A, "CREATE TYPE m AS ENUM ('x');");
  await migrate(['up']);
  write(B, "ALTER TYPE m ADD VALUE 'y'; SELECT 'y'::m;");
  expect((await migrate(['up'])).message).toContain('Hint: New enum values must be committed');
  write(B, "-- devshelf:no-transaction\nALTER TYPE m ADD VALUE 'y';\nSELECT 'y'::m;");
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [B] });
});

test('tables without a history are not migrated over', async () => {
  await query(databaseUrl, 'CREATE TABLE users (id INT)');
  write(A, 'CREATE TABLE extra (id INT); CREATE TABLE "users" (id INT);');
  const expected = { result: 'baseline needed', message: expect.stringContaining('users') };
  expect(await migrate(['status'])).toMatchObject(expected);
  expect(await migrate(['up'])).toMatchObject(expected);
  expect(await tables()).toEqual(['users']);
});

test('a database that takes no writes is waited for, and asked only when there is something to do', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  await migrate(['up']);
  await query(
    databaseUrl,
    `ALTER DATABASE ${new URL(databaseUrl).pathname.slice(1)} SET default_transaction_read_only = on`,
  );
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date' });
  write(B, 'CREATE TABLE b (id INT);');
  expect(await migrate(['up'])).toMatchObject({ result: 'readonly', applied: [], failed: [] });
  write(B, 'SET TRANSACTION READ ONLY; CREATE TABLE b (id INT);');
  expect(await migrate(['status'])).toMatchObject({ result: 'pending' });
});

test('a standby answers what is pending, takes no migration, and does once it is promoted', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  const [{ data_directory: data } = {}] = await query(databaseUrl, 'SHOW data_directory');
  await postgres.stop();
  writeFileSync(join(String(data), 'standby.signal'), '');
  await postgres.start();
  expect(await migrate(['status'])).toMatchObject({ result: 'pending', pending: [A] });
  const standby = { result: 'readonly', message: expect.stringContaining('a standby'), failed: [] };
  expect(await migrate(['up'])).toMatchObject(standby);
  await query(databaseUrl, 'SELECT pg_promote()');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [A] });
});

// PgBouncer is Debian's; all of its modes are what users put between
test.each([
  ['transaction', 'refused', []],
  ['statement', 'refused', []],
  ['session', 'up to date', ['a']],
])('through a pooler in %s mode: %s', async (mode, result, expected) => {
  write(A, 'CREATE TABLE a (id INT);');
  const pooler = await startPgBouncer(databaseUrl, mode);
  try {
    expect(await migrate(['up'], { DATABASE_URL: pooler.url })).toMatchObject({ result });
    expect(await tables()).toEqual(expected);
  } finally {
    await pooler.remove();
  }
});

test.each([
  ['others use', ''],
  ['takes its connections in turns', 'server_round_robin = 1\nmin_pool_size = 3'],
])('a transaction pool that %s is recognised, and keeps no lock', async (_case, settings) => {
  write(A, 'CREATE TABLE a (id INT);');
  const pooler = await startPgBouncer(databaseUrl, 'transaction', settings);
  const users = await Promise.all(Array.from({ length: 4 }, () => busyClient(pooler.url)));
  try {
    for (let time = 0; time < 3; time += 1)
      expect(await migrate(['up'], { DATABASE_URL: pooler.url })).toMatchObject({ result: 'refused' });
    expect(await query(databaseUrl, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")).toEqual([]);
  } finally {
    await Promise.all(users.map(stop => stop()));
    await pooler.remove();
  }
});

/** Short transactions without end; gives what stops them. */
async function busyClient(url: string): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  let isOver = false;
  const work = (async () => {
    while (!isOver) await client.query('SELECT pg_sleep(0.002)');
  })();
  return async () => {
    isOver = true;
    await work;
    await client.end();
  };
}

const ASLEEP = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND application_name = 'migrate'";
const isAsleep = async () => (await query(databaseUrl, ASLEEP)).length > 0;

/** Ends it as an eviction does, when `when` is so; its verdict. */
async function evicted(run: Run, when: () => Promise<boolean>): Promise<Verdict> {
  const verdict = end(run);
  await until('it is time', when);
  run.child.kill('SIGTERM');
  return verdict;
}

test('evicted, it says so with what it had done, and leaves nothing half applied', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  write(B, 'CREATE TABLE b (id INT); SELECT pg_sleep(30);');
  const verdict = await evicted(begin(['up']), isAsleep);
  expect(verdict).toMatchObject({ result: 'stopped', applied: [A], irreversible: [A], failed: [] });
  expect(verdict.message).toContain(B);
  expect(await isAsleep()).toBe(false);
  expect(await tables()).toEqual(['a']);
  write(B, 'CREATE TABLE b (id INT);');
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [B] });
});

test('evicted while an index is built without a transaction, the next run begins it again', async () => {
  await query(databaseUrl, 'CREATE TABLE a AS SELECT 1 AS id');
  write(A, '-- devshelf:no-transaction\nCREATE INDEX CONCURRENTLY a_id ON a (id);');
  const idle = new Client({ connectionString: databaseUrl });
  await idle.connect();
  await idle.query('BEGIN; INSERT INTO a VALUES (2)');
  const waits = "SELECT 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'";
  const run = begin(['up'], { MIGRATE_LOCK_TIMEOUT_MS: '60000' });
  expect(await evicted(run, async () => (await query(databaseUrl, waits)).length > 0)).toMatchObject({
    result: 'stopped',
    failed: [],
    interrupted: [],
  });
  await idle.end();
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [A], invalid: [] });
});

test('evicted while it waits for another run, or for a database that stands still, it ends', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  const holder = new Client({ connectionString: databaseUrl });
  await holder.connect();
  await holder.query('SELECT pg_advisory_lock(72707369)');
  const connected = async () =>
    (await query(databaseUrl, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'migrate'")).length > 1;
  expect(await evicted(begin(['up']), connected)).toMatchObject({ result: 'stopped', applied: [] });
  await holder.end();
  write(A, 'CREATE TABLE a (id INT);');
  write(B, 'CREATE TABLE b (id INT); SELECT pg_sleep(30);');
  const run = begin(['up']);
  const verdict = end(run);
  await until('the migration sleeps', isAsleep);
  postgres.pause();
  try {
    run.child.kill('SIGTERM');
    expect(await verdict).toMatchObject({ result: 'stopped', applied: [A] });
  } finally {
    postgres.resume();
  }
  await until('its statement stops', async () => !(await isAsleep()));
  expect(await tables()).toEqual(['a']);
});

test.each([
  ['no command', [], {}],
  ['an unknown command', ['sideways'], {}],
  ['--to without down', ['up', '--to', A], {}],
  ['two ways to say what to undo', ['down', '--to', A, '--only', B], {}],
  ['--if-lossless without ids', ['down', '--if-lossless'], {}],
  ['a list of no ids', ['down', '--only', ','], {}],
  ['no database', ['up'], { DATABASE_URL: '' }],
  ['a database of another kind', ['up'], { DATABASE_URL: 'mysql://x/y' }],
  ['several hosts', ['up'], { DATABASE_URL: 'postgresql://one,two/y' }],
  ['a certificate that is not there', ['up'], { DATABASE_URL: 'postgresql://x/y?sslrootcert=/nowhere' }],
  ['no directory of migrations', ['up'], { MIGRATIONS_DIR: '/nowhere' }],
  ['a flag that no command has', ['seed', '--sede', '1'], {}],
  ['a flag of another command', ['up', '--users', '1'], {}],
  ['a flag with a value that is not allowed', ['seed', '--users', 'many'], {}],
])('misused: %s', async (_case, args, environment) => {
  expect(await migrate(args, environment)).toMatchObject({ result: 'misused', message: expect.stringMatching(/./) });
});

test.each([[[]], [['up']], [['down']], [['status']], [['baseline']], [['resolve']], [['lint']], [['seed']]])(
  '--help of %j',
  async command => {
    const { child } = begin([...command, '--help']);
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout ?? []) chunks.push(chunk);
    await until('help ends', () => child.exitCode !== null);
    expect(child.exitCode).toBe(0);
    expect(Buffer.concat(chunks).toString()).toMatch(
      new RegExp(`^usage: migrate ${command[0] ?? 'up'}[^]*exit codes: 0`),
    );
  },
);

test('misused: sample rows of a service without any', async () => {
  const environment = { DATABASE_URL: databaseUrl, MIGRATIONS_DIR: folder.path };
  expect(await migrateCli({ args: ['seed'], environment })).toBe(EXIT_CODES.misused);
});
