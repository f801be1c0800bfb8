import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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

function write(id: string, sql: string, down?: string): void {
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
  expect(await migrate(['status'])).toMatchObject({ result: 'pending', pending: [A, B], contract: [] });
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
  await until('its statement stops', async () => !(await asleep()), 5_000);
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
  expect(await migrate(['up'])).toMatchObject({ result: 'locked', applied: [] });
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

test('another run that does not end makes this one give up as locked', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  const holder = new Client({ connectionString: databaseUrl });
  await holder.connect();
  await holder.query('SELECT pg_advisory_lock(72707369)');
  expect(await migrate(['up'], { MIGRATE_WAIT_MS: '300' })).toMatchObject({ result: 'locked' });
  expect(await tables()).toEqual([]);
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
  expect(again).toMatchObject({ result: 'failed', failed: [A], message: expect.stringContaining('rolled_back_at') });
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
  expect(await migrate(['status'])).toMatchObject({ result: 'pending', contract: [`${B}: drops a column`] });
  expect(await migrate(['lint'])).toMatchObject({ result: 'contract', contract: [`${B}: drops a column`] });
});

test('a database that is not there is unreachable, and the verdict holds no password', async () => {
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
  postgres.pause();
  try {
    expect(await migrate(['up'], { MIGRATE_CONNECT_TIMEOUT_MS: '500' })).toMatchObject({ result: 'unreachable' });
  } finally {
    postgres.resume();
  }
});

test('a database that goes away in the middle is unreachable, and nothing is left', async () => {
  write(A, 'CREATE TABLE a (id INT); SELECT pg_sleep(30);');
  const running = migrate(['up']);
  await until('the migration sleeps', async () => {
    return (
      (
        await query(
          databaseUrl,
          "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND application_name = 'migrate'",
        )
      ).length > 0
    );
  });
  await postgres.stop();
  expect(await running).toMatchObject({ result: 'unreachable' });
  await postgres.start();
  expect(await tables()).toEqual([]);
});

// PgBouncer is Debian's; both of its modes are what users put between
test.each([
  ['transaction', 'refused', []],
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

test('ended by a signal it stops at once and leaves nothing', async () => {
  write(A, 'CREATE TABLE a (id INT); SELECT pg_sleep(30);');
  const { child } = begin(['up']);
  const asleep = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND application_name = 'migrate'";
  await until('the migration sleeps', async () => (await query(databaseUrl, asleep)).length > 0);
  await stopProcess(child, 'SIGTERM');
  expect(child.exitCode).toBe(143);
  await until('its statement stops', async () => (await query(databaseUrl, asleep)).length === 0, 5_000);
  expect(await tables()).toEqual([]);
});

test.each([
  ['no command', [], {}],
  ['an unknown command', ['sideways'], {}],
  ['--to without down', ['up', '--to', A], {}],
  ['no database', ['up'], { DATABASE_URL: '' }],
  ['a database of another kind', ['up'], { DATABASE_URL: 'mysql://x/y' }],
  ['no directory of migrations', ['up'], { MIGRATIONS_DIR: '/nowhere' }],
  ['a flag that no command has', ['seed', '--sede', '1'], {}],
  ['a flag of another command', ['up', '--users', '1'], {}],
  ['a flag with a value that is not allowed', ['seed', '--users', 'many'], {}],
])('misused: %s', async (_case, args, environment) => {
  expect(await migrate(args, environment)).toMatchObject({ result: 'misused', message: expect.stringMatching(/./) });
});

test('misused: sample rows of a service without any', async () => {
  const environment = { DATABASE_URL: databaseUrl, MIGRATIONS_DIR: folder.path };
  expect(await migrateCli({ args: ['seed'], environment })).toBe(EXIT_CODES.misused);
});
