import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Marks, marksOf } from './marks.ts';

/** One folder of `prisma/migrations`: `<timestamp>_<name>/migration.sql`, with our `down.sql` beside it. */
export type Migration = {
  readonly id: string;
  readonly sql: string;
  readonly down: string | undefined;
  /** sha256 of migration.sql, as Prisma computes it */
  readonly checksum: string;
  /** the same for either kind of line ending: Prisma takes a checkout with CRLF for the same file, and so do we */
  readonly checksums: readonly string[];
  /** false after the comment `-- devshelf:no-transaction`, for CREATE INDEX CONCURRENTLY */
  readonly inTransaction: boolean;
  readonly marks: Marks;
};

const NO_TRANSACTION = /^\s*--\s*devshelf:no-transaction\s*$/m;

/**
 * The migrations in the order of their names.
 * @throws Error when the folder or a file cannot be read, there is none, or one is not UTF-8
 */
export async function readMigrations(directory: string): Promise<readonly Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const ids = entries.filter(entry => entry.isDirectory()).map(entry => entry.name);
  // a COPY that matched nothing, or another folder: nothing pending would be said of a schema that was never made
  if (ids.length === 0) throw new Error(`${directory} holds no migrations: is it in this image?`);
  return Promise.all(ids.sort().map(id => readMigration(directory, id)));
}

/** SQL that turns older tables into those that the migration `to` leaves: `adopt.sql` beside the migrations. */
export type Adoption = { readonly sql: string; readonly to: string };

const ADOPTS = /^--\s*devshelf:adopts\s+(\S+)\s*$/m;

/** @throws Error when there is none, or it does not say what it adopts */
export async function readAdoption(directory: string): Promise<Adoption> {
  const sql = withoutMark(await readSql(directory, '.', 'adopt.sql'));
  const to = ADOPTS.exec(sql)?.[1];
  if (to === undefined) throw new Error('adopt.sql: the comment `-- devshelf:adopts ID` is missing');
  return { sql, to };
}

async function readMigration(directory: string, id: string): Promise<Migration> {
  const file = await readSql(directory, id, 'migration.sql');
  const unix = file.replaceAll('\r\n', '\n');
  return {
    id,
    sql: withoutMark(file),
    down: await readDown(directory, id),
    checksum: sha256(file),
    checksums: [...new Set([file, unix, unix.replaceAll('\n', '\r\n')].map(sha256))],
    inTransaction: !NO_TRANSACTION.test(file),
    marks: marksOf(withoutMark(file)),
  };
}

async function readDown(directory: string, id: string): Promise<string | undefined> {
  try {
    return withoutMark(await readSql(directory, id, 'down.sql'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A byte-order mark counts for the checksum, as it does for Prisma, and is nothing that PostgreSQL understands. */
const withoutMark = (file: string): string => file.replace(/^\uFEFF/, '');

async function readSql(directory: string, id: string, name: string): Promise<string> {
  const bytes = await readFile(join(directory, id, name));
  const fault = encodingFault(bytes);
  if (fault !== undefined) throw new Error(`${id}/${name} is not UTF-8: ${fault}; save it as UTF-8`);
  return bytes.toString('utf8');
}

const UTF16_MARKS = ['fffe', 'feff'];

/** Read as if it were UTF-8, other text than the file holds would reach the database. Undefined when it is UTF-8. */
function encodingFault(bytes: Buffer): string | undefined {
  if (UTF16_MARKS.includes(bytes.toString('hex', 0, 2))) return 'it begins as UTF-16 does';
  const zero = bytes.indexOf(0);
  if (zero >= 0) return `byte ${zero} is zero, which UTF-16 text has and SQL never`;
  if (isUtf8(bytes)) return undefined;
  const asRead = Buffer.from(bytes.toString('utf8'));
  const wrong = bytes.findIndex((byte, index) => byte !== asRead[index]);
  const line = bytes.toString('latin1', 0, wrong).split('\n').length;
  return `byte ${wrong} (line ${line}) is 0x${bytes.toString('hex', wrong, wrong + 1)}, as in Latin-1`;
}
