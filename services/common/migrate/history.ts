import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { MigrateError } from './errors.ts';
import type { Migration } from './files.ts';

/** A row of Prisma's own table, so that `prisma migrate status` and this runner agree. */
export type Row = {
  readonly id: string;
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
  readonly rolled_back_at: Date | null;
  readonly logs: string | null;
};

/** Rows in the order in which they were applied. */
export type History = {
  /** those that count: what was rolled back is as if it had never been */
  readonly rows: readonly Row[];
  /** has any migration ever begun here? */
  readonly isEmpty: boolean;
  /** every migration that was ever applied, those that were undone since among them */
  readonly everApplied: ReadonlySet<string>;
};

/** Prisma's table, called by its full name: a migration may leave any search_path behind. */
export type HistoryTable = {
  /** where the migrations' own objects go, as well */
  readonly schema: string;
  read(): Promise<History>;
  /** makes the table where it is not there */
  create(): Promise<void>;
  /** one row that says all: for a migration in a transaction, and for one that was applied elsewhere (0 steps) */
  recordApplied(migration: Migration, steps: number): Promise<void>;
  /** the row's id */
  recordBegun(migration: Migration): Promise<string>;
  recordFailed(row: string, log: string, steps: number): Promise<void>;
  recordFinished(row: string, steps: number): Promise<void>;
  /** every row of this migration that counted */
  recordRolledBack(id: string): Promise<void>;
};

const LOCATION = `
  SELECT coalesce(
    (SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
      WHERE pg_class.oid = to_regclass('"_prisma_migrations"')),
    current_schema()
  ) AS schema`;

/**
 * The table that is there, else where one would be made.
 * @throws MigrateError `refused` when no schema of the search_path exists
 */
export async function findHistory(client: Client): Promise<HistoryTable> {
  const { rows } = await client.query<{ schema: string | null }>(LOCATION);
  const schema = rows[0]?.schema;
  if (schema == null) throw new MigrateError('refused', 'no schema of the search_path exists in this database');
  return historyTable(client, schema);
}

function historyTable(client: Client, schema: string): HistoryTable {
  const table = `${client.escapeIdentifier(schema)}."_prisma_migrations"`;
  const write = async (sql: string, values: unknown[]) => {
    await client.query(sql, values);
  };
  return {
    schema,
    read: async () => {
      const { rows: found } = await client.query('SELECT to_regclass($1) IS NOT NULL AS found', [table]);
      if (!found[0]?.found) return { rows: [], isEmpty: true, everApplied: new Set() };
      const { rows } = await client.query<Row>(
        `SELECT * FROM ${table} ORDER BY "finished_at", "started_at", "migration_name"`,
      );
      const applied = rows.filter(row => row.finished_at !== null).map(row => row.migration_name);
      return {
        rows: rows.filter(row => row.rolled_back_at === null),
        isEmpty: rows.length === 0,
        everApplied: new Set(applied),
      };
    },
    create: async () => {
      await client.query(`
        CREATE TABLE IF NOT EXISTS ${table} (
          "id" VARCHAR(36) PRIMARY KEY NOT NULL,
          "checksum" VARCHAR(64) NOT NULL,
          "finished_at" TIMESTAMPTZ,
          "migration_name" VARCHAR(255) NOT NULL,
          "logs" TEXT,
          "rolled_back_at" TIMESTAMPTZ,
          "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
          "applied_steps_count" INTEGER NOT NULL DEFAULT 0
        )`);
    },
    recordApplied: ({ id, checksum }, steps) =>
      write(
        `INSERT INTO ${table} ("id", "checksum", "migration_name", "started_at", "finished_at", "applied_steps_count")
         VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp(), $4)`,
        [randomUUID(), checksum, id, steps],
      ),
    recordBegun: async ({ id, checksum }) => {
      const row = randomUUID();
      await write(`INSERT INTO ${table} ("id", "checksum", "migration_name") VALUES ($1, $2, $3)`, [row, checksum, id]);
      return row;
    },
    recordFailed: (row, log, steps) =>
      write(`UPDATE ${table} SET "logs" = $2, "applied_steps_count" = $3 WHERE "id" = $1`, [row, log, steps]),
    recordFinished: (row, steps) =>
      write(`UPDATE ${table} SET "finished_at" = clock_timestamp(), "applied_steps_count" = $2 WHERE "id" = $1`, [
        row,
        steps,
      ]),
    recordRolledBack: id =>
      write(`UPDATE ${table} SET "rolled_back_at" = now() WHERE "migration_name" = $1 AND "rolled_back_at" IS NULL`, [
        id,
      ]),
  };
}

export type Comparison = {
  readonly pending: readonly Migration[];
  readonly edited: readonly string[];
  /** pending, with the content of one that was applied and is not in the image any more: its folder was renamed */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
  /** pending, and older than one that was applied: a branch that was merged late */
  readonly late: readonly string[];
  /** a log says why it did not finish */
  readonly failed: readonly string[];
  /** it began, did not finish and left no log */
  readonly interrupted: readonly string[];
  readonly ahead: readonly string[];
};

/** Compares the image's files with the database's history. */
export function compare(migrations: readonly Migration[], history: readonly Row[]): Comparison {
  const files = new Map(migrations.map(migration => [migration.id, migration]));
  const finished = history.filter(row => row.finished_at !== null);
  const unfinished = history.filter(row => row.finished_at === null);
  const begun = new Set(history.map(row => row.migration_name));
  const names = (rows: readonly Row[]) => [...new Set(rows.map(row => row.migration_name))];
  const pending = migrations.filter(migration => !begun.has(migration.id));
  const ahead = finished.filter(row => !files.has(row.migration_name));
  // only among those that the image has: a newer release that was here is no reason to call all of this one's late
  const newest = names(finished)
    .filter(name => files.has(name))
    .sort()
    .at(-1);
  return {
    pending,
    edited: names(finished.filter(row => files.get(row.migration_name)?.checksums.includes(row.checksum) === false)),
    renamed: pending.flatMap(({ id, checksums }) =>
      ahead
        .filter(row => checksums.includes(row.checksum))
        .slice(0, 1)
        .map(row => ({ from: row.migration_name, to: id })),
    ),
    late: pending.map(({ id }) => id).filter(id => newest !== undefined && id < newest),
    failed: names(unfinished.filter(row => row.logs)),
    interrupted: names(unfinished.filter(row => !row.logs)),
    ahead: names(ahead),
  };
}
