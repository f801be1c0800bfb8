import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { runMigrate } from '../services/common/migrate/testing.ts';
import { query, startPostgres, type TestPostgres } from '../services/common/testing/postgres.ts';
import { freePort, type TemporaryFolder, temporaryFolder } from '../services/common/testing/processes.ts';
import { runScript } from './testing.ts';

const SHIPPED = join(import.meta.dirname, '../services/devshelf/prisma/migrations');
const NEW = '29990101000000_new';

let postgres: TestPostgres;
let folder: TemporaryFolder;
let databases = 0;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres?.remove());
beforeEach(() => {
  folder = temporaryFolder('devshelf-check-');
  cpSync(SHIPPED, folder.path, { recursive: true });
});
afterEach(() => folder.remove());

function write(id: string, sql: string, down?: string): void {
  mkdirSync(join(folder.path, id), { recursive: true });
  writeFileSync(join(folder.path, id, 'migration.sql'), sql);
  if (down !== undefined) writeFileSync(join(folder.path, id, 'down.sql'), down);
}

const HEAD = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim();

async function check(...flags: readonly string[]) {
  return runScript('check_migrations.sh', ['-m', folder.path, ...flags, 'devshelf']);
}

const tried = (...flags: readonly string[]) => check('-s', postgres.url, '-b', HEAD, ...flags);

/** A database to which everything of the folder was applied. */
async function deployed(): Promise<string> {
  databases += 1;
  const DATABASE_URL = await postgres.createDatabase(`check_${databases}`);
  await runMigrate(['up'], { DATABASE_URL, MIGRATIONS_DIR: folder.path });
  return DATABASE_URL;
}

test('0: nothing new; a new one that leads back; one that takes something away and says why', async () => {
  expect(await tried()).toMatchObject({ code: 0, err: '', out: expect.stringContaining('ninguna') });
  write(NEW, 'ALTER TABLE users ADD COLUMN note TEXT;', 'ALTER TABLE users DROP COLUMN note;');
  expect(await tried()).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringContaining(`Nuevas desde ${HEAD}: ${NEW}`),
  });
  write(NEW, '-- devshelf:irreversible nobody has one\nALTER TABLE users DROP COLUMN email;');
  rmSync(join(folder.path, NEW, 'down.sql'));
  expect(await tried()).toMatchObject({
    code: 0,
    out: expect.stringContaining(`${NEW} (takes away column users.email)`),
  });
});

test('1: no service, nothing to do, a base that git does not know, no URL', async () => {
  expect(await runScript('check_migrations.sh', ['-b', HEAD])).toMatchObject({
    code: 1,
    err: expect.stringContaining('Falta el servicio'),
  });
  expect(await check()).toMatchObject({ code: 1, err: expect.stringContaining('Nada que comprobar') });
  expect(await check('-b', 'nowhere')).toMatchObject({ code: 1, err: expect.stringContaining('nowhere') });
  expect(await check('-d', 'mysql://x/y')).toMatchObject({ code: 1, err: expect.stringContaining('DATABASE_URL') });
});

test('2: something is pending in the deployed database; what waits for agreement is not', async () => {
  const url = await deployed();
  expect(await check('-d', url)).toMatchObject({ code: 0, out: expect.stringContaining('Nada pendiente') });
  write(NEW, 'ALTER TABLE users DROP COLUMN email;');
  expect(await check('-d', url)).toMatchObject({ code: 0, out: expect.stringContaining(`${NEW} (takes away`) });
  write(NEW, 'ALTER TABLE users ADD COLUMN note TEXT;');
  expect(await check('-d', url)).toMatchObject({ code: 2, err: expect.stringContaining(NEW) });
});

test('3: one failed or was cut off; one that was applied, or that the base has, is edited, or its folder renamed', async () => {
  const url = await deployed();
  const old = '20260105000000_sessions';
  write(NEW, '-- devshelf:no-transaction\nCREATE TABLE n (id INT);\nSELECT nothing;', 'DROP TABLE n;');
  await runMigrate(['up'], { DATABASE_URL: url, MIGRATIONS_DIR: folder.path });
  expect(await check('-d', url)).toMatchObject({ code: 3, err: expect.stringContaining('failed') });
  await query(url, `UPDATE _prisma_migrations SET logs = NULL WHERE migration_name = '${NEW}'`);
  expect(await check('-d', url)).toMatchObject({ code: 3, err: expect.stringContaining('interrupted') });
  await query(url, `DELETE FROM _prisma_migrations WHERE migration_name = '${NEW}'`);
  rmSync(join(folder.path, NEW), { recursive: true });
  write(old, 'SELECT 1;');
  expect(await check('-d', url)).toMatchObject({ code: 3, err: expect.stringContaining('edited') });
  expect(await check('-b', HEAD)).toMatchObject({ code: 3, err: expect.stringContaining(`${old} está en`) });
  rmSync(join(folder.path, old), { recursive: true });
  expect(await check('-b', HEAD)).toMatchObject({ code: 3, err: expect.stringContaining(old) });
});

test('4: no way back, a wrong mark, one that does not apply', async () => {
  write(NEW, 'CREATE TABLE n (id INT);');
  expect(await tried()).toMatchObject({ code: 4, err: expect.stringContaining('no down.sql') });
  write(
    NEW,
    '-- devshelf:expand really\nALTER TABLE users DROP COLUMN email;',
    'ALTER TABLE users ADD email VARCHAR(255) NOT NULL;',
  );
  expect(await tried()).toMatchObject({
    code: 4,
    err: expect.stringContaining('is marked devshelf:expand and takes away column users.email'),
  });
  write(NEW, 'SELECT nothing;');
  expect(await tried()).toMatchObject({ code: 4, err: expect.stringContaining('"nothing" does not exist') });
});

test('5: the database does not answer', async () => {
  const nowhere = `postgresql://x@127.0.0.1:${await freePort()}/y`;
  expect(await check('-d', nowhere)).toMatchObject({ code: 5, err: expect.stringContaining('unreachable') });
  expect(await check('-s', nowhere)).toMatchObject({ code: 5 });
});
