// Databases whose tables came from elsewhere, and histories that a person has to mend.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { verifyPassword } from '../../devshelf/passwords.ts';
import { query, startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { type PrismaStatus, prismaStatus } from '../testing/prisma-status.ts';
import { type TemporaryFolder, temporaryFolder } from '../testing/processes.ts';
import { runMigrate } from './testing.ts';

const SERVICES = ['devshelf', 'dashboard'] as const;
const migrationsOf = (service: string) => new URL(`../../${service}/prisma/migrations`, import.meta.url).pathname;

const A = '20260101000000_a';
const B = '20260102000000_b';

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
  url = await postgres.createDatabase(`baseline_${databases}`);
  folder = temporaryFolder('devshelf-baseline-');
});
afterEach(() => folder.remove());

function write(id: string, sql: string, down?: string): void {
  mkdirSync(join(folder.path, id), { recursive: true });
  writeFileSync(join(folder.path, id, 'migration.sql'), sql);
  if (down !== undefined) writeFileSync(join(folder.path, id, 'down.sql'), down);
}

const migrate = (args: readonly string[], MIGRATIONS_DIR = folder.path) =>
  runMigrate(args, { DATABASE_URL: url, MIGRATIONS_DIR });

const names = async () =>
  (await query(url, 'SELECT migration_name FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY 1')).map(
    row => row['migration_name'],
  );

const IN_STEP: PrismaStatus = { unapplied: [], edited: [], failed: [], unknown: [] };
const status = (directory = folder.path) => prismaStatus(url, directory);

const schemas = () => query(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'migrate%'");

test.each(SERVICES)('%s: tables without their history are compared and recorded', async service => {
  const directory = migrationsOf(service);
  const { applied } = await migrate(['up'], directory);
  await query(url, 'DROP TABLE _prisma_migrations');
  expect(await migrate(['up'], directory)).toMatchObject({ result: 'baseline needed' });
  expect(await migrate(['baseline'], directory)).toMatchObject({ result: 'recorded', applied, pending: [] });
  expect(await migrate(['up'], directory)).toMatchObject({ result: 'up to date', applied: [] });
  expect(await schemas()).toEqual([]);
});

test('what is otherwise is listed and nothing recorded; the migration that fits is named', async () => {
  write(A, 'CREATE TABLE a (id INT PRIMARY KEY, name TEXT NOT NULL);');
  write(B, '-- devshelf:no-transaction\nCREATE INDEX CONCURRENTLY a_name ON a (name);');
  await query(url, 'CREATE TABLE a (id BIGINT PRIMARY KEY, must INT NOT NULL, may INT)');
  expect(await migrate(['baseline'])).toMatchObject({
    result: 'different',
    differences: [
      'column a.id is bigint NOT NULL instead of integer NOT NULL',
      'column a.must (integer NOT NULL) is one that the migrations do not make',
      'column a.name is missing',
      'index a_name is missing',
    ],
  });
  expect(await migrate(['status'])).toMatchObject({ result: 'baseline needed', pending: [A, B] });
  await query(url, 'DROP TABLE a');
  await query(url, 'CREATE TABLE a (id INT PRIMARY KEY, name TEXT NOT NULL, may INT)');
  expect(await migrate(['baseline'])).toMatchObject({
    result: 'different',
    message: expect.stringContaining(`migrate baseline --to ${A}`),
  });
  expect(await migrate(['baseline', '--to', A])).toMatchObject({ result: 'recorded', applied: [A], pending: [B] });
  expect(await status()).toEqual({ ...IN_STEP, unapplied: [B] });
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [B] });
  expect(await schemas()).toEqual([]);
});

test.each([
  ['a history that is there', ['baseline'], 'refused'],
  ['an id that nobody knows', ['baseline', '--to', 'nowhere'], 'refused'],
  ['two ways at once', ['baseline', '--to', A, '--adopt'], 'misused'],
  ['nothing to adopt with', ['baseline', '--adopt'], 'misused'],
  ['no word on what was found', ['resolve', A], 'misused'],
  ['both words', ['resolve', A, '--applied', '--rolled-back'], 'misused'],
  ['no id', ['resolve', '--applied'], 'misused'],
  ['another id', ['resolve', 'nowhere', '--applied'], 'misused'],
  ['one that is applied', ['resolve', A, '--applied'], 'refused'],
  ['to roll back what is applied', ['resolve', A, '--rolled-back'], 'refused'],
  ['to roll back what never began', ['resolve', B, '--rolled-back'], 'refused'],
])('refused: %s', async (_case, args, result) => {
  write(A, 'CREATE TABLE a (id INT);');
  await migrate(['up']);
  write(B, 'CREATE TABLE b (id INT);');
  expect(await migrate(args)).toMatchObject({ result });
  expect(await names()).toEqual([A]);
});

test('a migration that failed half-way is resolved as what the database is', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  write(B, '-- devshelf:no-transaction\nCREATE TABLE b (id INT);\nCREATE TABLE c (id INT, a INT DEFAULT nothing());');
  await migrate(['up']);
  write(B, '-- devshelf:no-transaction\nCREATE TABLE b (id INT);\nCREATE TABLE c (id INT);');
  expect(await migrate(['resolve', B, '--applied'])).toMatchObject({
    result: 'different',
    differences: ['column c.id is missing'],
  });
  expect(await migrate(['resolve', B, '--rolled-back'])).toMatchObject({
    result: 'different',
    differences: ['column b.id is there'],
  });
  expect(await migrate(['status'])).toMatchObject({ result: 'failed', failed: [B] });
  await query(url, 'DROP TABLE b');
  expect(await migrate(['resolve', B, '--rolled-back'])).toMatchObject({ result: 'recorded', pending: [B] });
  expect(await migrate(['up'])).toMatchObject({ result: 'up to date', applied: [B] });
});

test('a migration that was done by hand, or under another name, is recorded as applied', async () => {
  write(A, 'CREATE TABLE a (id INT);');
  await migrate(['up']);
  write(B, 'CREATE TABLE b (id INT);');
  await query(url, 'CREATE TABLE b (id INT)');
  expect(await migrate(['resolve', B, '--applied'])).toMatchObject({ result: 'recorded', applied: [B], pending: [] });
  expect(await migrate(['status'])).toMatchObject({ result: 'up to date' });
});

// Alembic's 0001_initial, and what Base.metadata.create_all made beside it; the password is "secret", hashed by passlib
const PYTHON = `
  CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
  INSERT INTO alembic_version VALUES ('0001_initial');
  CREATE TABLE resources (id VARCHAR(36) NOT NULL, title VARCHAR(255) NOT NULL, description TEXT, url VARCHAR(1024) NOT NULL,
    type VARCHAR(50) NOT NULL, created_at TIMESTAMP WITHOUT TIME ZONE, PRIMARY KEY (id));
  CREATE TABLE users (id VARCHAR(36) NOT NULL, username VARCHAR(50) NOT NULL, email VARCHAR(255) NOT NULL,
    hashed_password VARCHAR(255) NOT NULL, is_active BOOLEAN, created_at TIMESTAMP WITHOUT TIME ZONE,
    PRIMARY KEY (id), UNIQUE (username), UNIQUE (email));
  INSERT INTO users VALUES ('6f1f3b62-2f0a-4c61-9d3e-0d6d0a3b6a01', 'ana', 'ana@example.org',
    'HASH', NULL, '2026-01-24 10:00:00.123456');
  INSERT INTO resources VALUES ('0c8b1e1c-5d1b-4f0e-8a0b-1f2e3d4c5b6a', 'FastAPI', NULL, 'https://fastapi.tiangolo.com/', 'docs', NULL)`;
const HASH = '$pbkdf2-sha256$29000$otS6F.K8VwphrPVeK2XM2Q$00gDsMUaa6MvED26Lbdnr5NIH6MlGSVVakoEeTsHpv0';

test("the Python service's database is taken over with its users and resources, or not touched", async () => {
  const directory = migrationsOf('devshelf');
  await query(
    url,
    PYTHON.replace('HASH', () => HASH),
  );
  expect(await migrate(['up'], directory)).toMatchObject({
    result: 'baseline needed',
    message: expect.stringContaining('baseline --adopt'),
  });
  await query(url, "INSERT INTO resources VALUES ('no uuid', 't', NULL, 'u', 'x', NULL)");
  expect(await migrate(['baseline', '--adopt'], directory)).toMatchObject({
    result: 'failed',
    message: expect.stringContaining('no uuid'),
  });
  await query(url, "DELETE FROM resources WHERE id = 'no uuid'");
  expect(await migrate(['baseline', '--adopt'], directory)).toMatchObject({
    result: 'recorded',
    applied: ['20260101000000_users_and_resources'],
  });
  expect(await migrate(['up'], directory)).toMatchObject({ result: 'up to date', pending: [] });
  expect(await status(directory)).toEqual(IN_STEP);
  const [user] = await query(url, 'SELECT * FROM users');
  expect(user).toMatchObject({
    id: '6f1f3b62-2f0a-4c61-9d3e-0d6d0a3b6a01',
    username: 'ana',
    email: 'ana@example.org',
    is_active: true,
    created_at: new Date('2026-01-24T10:00:00.123Z'),
  });
  expect(await verifyPassword('secret', String(user?.['hashed_password']))).toBe(true);
  expect(await query(url, 'SELECT title, owner_id, link_status FROM resources')).toEqual([
    { title: 'FastAPI', owner_id: null, link_status: null },
  ]);
});

test('where only Alembic ran, there are no users yet', async () => {
  await query(
    url,
    PYTHON.replace('HASH', () => HASH),
  );
  await query(url, 'DROP TABLE users');
  const directory = migrationsOf('devshelf');
  expect(await migrate(['baseline', '--adopt'], directory)).toMatchObject({ result: 'recorded' });
  expect(await migrate(['up'], directory)).toMatchObject({ result: 'up to date' });
});

test('an adoption that leaves something otherwise changes nothing', async () => {
  cpSync(migrationsOf('devshelf'), folder.path, { recursive: true });
  writeFileSync(
    join(folder.path, 'adopt.sql'),
    '-- devshelf:adopts 20260101000000_users_and_resources\nALTER TABLE users ADD COLUMN note TEXT;',
  );
  await query(
    url,
    PYTHON.replace('HASH', () => HASH),
  );
  expect(await migrate(['baseline', '--adopt'])).toMatchObject({ result: 'different' });
  const columns = await query(url, "SELECT 1 FROM information_schema.columns WHERE table_name = 'users'");
  expect(columns).toHaveLength(6);
});

describe('Prisma’s own `migrate status` says what the history says', () => {
  const C = '20260103000000_c';

  test.each(SERVICES)('%s: up, down, up; taken over from its tables', async service => {
    const directory = migrationsOf(service);
    const { pending } = await migrate(['status'], directory);
    expect(await status(directory)).toEqual({ ...IN_STEP, unapplied: pending });
    await migrate(['up'], directory);
    expect(await status(directory)).toEqual(IN_STEP);
    const { reverted } = await migrate(['down'], directory);
    expect(await status(directory)).toEqual({ ...IN_STEP, unapplied: reverted });
    await migrate(['up'], directory);
    expect(await status(directory)).toEqual(IN_STEP);
    await query(url, 'DROP TABLE _prisma_migrations');
    await migrate(['baseline'], directory);
    expect(await status(directory)).toEqual(IN_STEP);
  });

  test('what is withheld is pending for it, too, and applied once it is agreed to', async () => {
    write(A, 'CREATE TABLE a (id INT PRIMARY KEY, name TEXT);', 'DROP TABLE a;');
    await migrate(['up']);
    write(B, 'ALTER TABLE a DROP COLUMN name;', 'ALTER TABLE a ADD COLUMN name TEXT;');
    write(C, 'CREATE TABLE c (id INT);', 'DROP TABLE c;');
    expect(await withhold('withhold')).toMatchObject({ result: 'expanded', applied: [C] });
    expect(await status()).toEqual({ ...IN_STEP, unapplied: [B] });
    expect(await withhold(B)).toMatchObject({ result: 'up to date', contracted: [B] });
    expect(await status()).toEqual(IN_STEP);
    await migrate(['down', '--only', C, '--if-lossless']);
    expect(await status()).toEqual({ ...IN_STEP, unapplied: [C] });
    const merged = '20260101120000_merged';
    write(merged, 'CREATE TABLE m (id INT);', 'DROP TABLE m;');
    expect(await migrate(['up'])).toMatchObject({ applied: [merged, C], late: [merged] });
    expect(await status()).toEqual(IN_STEP);
    await migrate(['down', '--to', A]);
    expect(await status()).toEqual({ ...IN_STEP, unapplied: [merged, B, C] });
  });

  const withhold = (setting: string) =>
    runMigrate(['up'], { DATABASE_URL: url, MIGRATIONS_DIR: folder.path, MIGRATE_CONTRACT: setting });

  test('failed, mended by hand, recorded', async () => {
    write(A, 'CREATE TABLE a (id INT PRIMARY KEY);');
    await migrate(['up']);
    write(B, '-- devshelf:no-transaction\nCREATE TABLE b (id INT);\nCREATE TABLE stranger (id INT);');
    await query(url, 'CREATE TABLE stranger (id INT)');
    expect(await migrate(['up'])).toMatchObject({ result: 'failed', failed: [B] });
    expect(await status()).toMatchObject({ failed: [B] });
    await query(url, 'DROP TABLE b, stranger');
    expect(await migrate(['resolve', B, '--rolled-back'])).toMatchObject({ result: 'recorded' });
    expect(await status()).toEqual({ ...IN_STEP, unapplied: [B] });
    await migrate(['up']);
    expect(await status()).toEqual(IN_STEP);
    write(C, 'CREATE TABLE c (id INT); SELECT nothing;');
    expect(await migrate(['up'])).toMatchObject({ result: 'failed', failed: [C] });
    expect(await status()).toEqual({ ...IN_STEP, unapplied: [C] });
    write(C, 'CREATE TABLE c (id INT);');
    await query(url, 'CREATE TABLE c (id INT)');
    expect(await migrate(['resolve', C, '--applied'])).toMatchObject({ result: 'recorded' });
    expect(await status()).toEqual(IN_STEP);
  });

  test('line endings do not count, other changes do; an image that is older than the database', async () => {
    write(A, 'CREATE TABLE a (id INT PRIMARY KEY);\n-- end\n');
    write(B, 'CREATE TABLE b (id INT);');
    await migrate(['up']);
    write(A, 'CREATE TABLE a (id INT PRIMARY KEY);\r\n-- end\r\n');
    expect([await migrate(['status']), await status()]).toMatchObject([{ result: 'up to date' }, IN_STEP]);
    write(A, 'CREATE TABLE a (id BIGINT PRIMARY KEY);');
    expect([await migrate(['status']), await status()]).toMatchObject([{ edited: [A] }, { edited: [A] }]);
    write(A, 'CREATE TABLE a (id INT PRIMARY KEY);\n-- end\n');
    rmSync(join(folder.path, B), { recursive: true });
    expect([await migrate(['status']), await status()]).toMatchObject([{ ahead: [B] }, { unknown: [B] }]);
  });
});
