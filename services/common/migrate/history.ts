import type { Client } from 'pg';
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

const CREATE_TABLE = `
  CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id" VARCHAR(36) PRIMARY KEY NOT NULL,
    "checksum" VARCHAR(64) NOT NULL,
    "finished_at" TIMESTAMPTZ,
    "migration_name" VARCHAR(255) NOT NULL,
    "logs" TEXT,
    "rolled_back_at" TIMESTAMPTZ,
    "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
    "applied_steps_count" INTEGER NOT NULL DEFAULT 0
  )`;

export async function createHistory(client: Client): Promise<void> {
  await client.query(CREATE_TABLE);
}

/** Rows that count: what was rolled back is as if it had never been. */
export async function readHistory(client: Client): Promise<readonly Row[]> {
  const { rows: tables } = await client.query<{ found: boolean }>(
    `SELECT to_regclass('"_prisma_migrations"') IS NOT NULL AS found`,
  );
  if (!tables[0]?.found) return [];
  const { rows } = await client.query<Row>(
    'SELECT * FROM "_prisma_migrations" WHERE "rolled_back_at" IS NULL ORDER BY "migration_name", "started_at"',
  );
  return rows;
}

export type Comparison = {
  readonly pending: readonly Migration[];
  readonly edited: readonly string[];
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
  return {
    pending: migrations.filter(migration => !begun.has(migration.id)),
    edited: names(
      finished.filter(row => {
        const file = files.get(row.migration_name);
        return file !== undefined && file.checksum !== row.checksum;
      }),
    ),
    failed: names(unfinished.filter(row => row.logs)),
    interrupted: names(unfinished.filter(row => !row.logs)),
    ahead: names(finished.filter(row => !files.has(row.migration_name))),
  };
}
