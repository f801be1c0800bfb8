import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One folder of `prisma/migrations`: `<timestamp>_<name>/migration.sql`, with our `down.sql` beside it. */
export type Migration = {
  readonly id: string;
  readonly sql: string;
  readonly down: string | undefined;
  /** sha256 of migration.sql, as Prisma computes it */
  readonly checksum: string;
  /** false after the comment `-- devshelf:no-transaction`, for CREATE INDEX CONCURRENTLY */
  readonly inTransaction: boolean;
};

const NO_TRANSACTION = /^\s*--\s*devshelf:no-transaction\s*$/m;

/**
 * The migrations in the order of their names.
 * @throws NodeJS.ErrnoException when the directory cannot be read
 */
export async function readMigrations(directory: string): Promise<readonly Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const ids = entries.filter(entry => entry.isDirectory()).map(entry => entry.name);
  return Promise.all(ids.sort().map(id => readMigration(directory, id)));
}

async function readMigration(directory: string, id: string): Promise<Migration> {
  const sql = await readFile(join(directory, id, 'migration.sql'), 'utf8');
  return {
    id,
    sql,
    down: await readIfThere(join(directory, id, 'down.sql')),
    checksum: createHash('sha256').update(sql).digest('hex'),
    inTransaction: !NO_TRANSACTION.test(sql),
  };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
