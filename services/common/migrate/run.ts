import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { describe, isConnectionLoss, isLocked, MigrateError } from './errors.ts';
import type { Migration } from './files.ts';
import { type Comparison, compare, createHistory, readHistory } from './history.ts';
import { findContract } from './lint.ts';
import { statementsOf } from './statements.ts';
import { nothing, type Result, type Verdict } from './verdict.ts';

const LOCK_RETRIES = 3;

export type RunOptions = {
  /** how long one migration may wait for a table's lock, milliseconds, before it lets the traffic pass and retries */
  readonly lockTimeoutMs: number;
  readonly log: (message: string) => void;
};

/** A verdict before its clock was read. */
export type Finding = Omit<Verdict, 'ms'>;

/** The worst word wins: what a person must look at comes before what the next run would do. */
function resultOf(found: Comparison): Result {
  if (found.failed.length > 0) return 'failed';
  if (found.interrupted.length > 0) return 'interrupted';
  if (found.edited.length > 0) return 'edited';
  return found.pending.length > 0 ? 'pending' : 'up to date';
}

const ADVICE: Partial<Record<Result, string>> = {
  failed:
    'A migration failed half-way and its history row says so. Repair the schema by hand, then set rolled_back_at (to run it again) or finished_at (if it is complete) in "_prisma_migrations".',
  interrupted:
    'A migration began and did not end. Compare the schema with its file, then set rolled_back_at (to run it again) or finished_at (if it is complete) in "_prisma_migrations".',
  edited: 'A migration was edited after it was applied. Restore its file and write a new migration instead.',
};

function findingOf(found: Comparison): Finding {
  const result = resultOf(found);
  return {
    ...nothing,
    ...found,
    pending: found.pending.map(({ id }) => id),
    contract: findContract(found.pending),
    result,
    message: ADVICE[result],
  };
}

/** Compares only; writes nothing, not even the history table. */
export async function status(client: Client, migrations: readonly Migration[]): Promise<Finding> {
  return findingOf(compare(migrations, await readHistory(client)));
}

/**
 * Applies what is pending, oldest first, then looks again: only the database's own word counts.
 * Each migration and its history row are one transaction, so a killed or failed run leaves nothing half done.
 * @throws MigrateError
 */
export async function up(client: Client, migrations: readonly Migration[], options: RunOptions): Promise<Finding> {
  const before = await status(client, migrations);
  if (before.result !== 'pending') return before;
  await createHistory(client);
  for (const migration of compare(migrations, await readHistory(client)).pending) {
    options.log(`applying ${migration.id}`);
    await (migration.inTransaction ? applyInTransaction(client, migration, options) : applyInSteps(client, migration));
  }
  return { ...(await status(client, migrations)), applied: before.pending };
}

/**
 * Undoes applied migrations, newest first: the newest one, or all that are newer than `to`. One transaction each.
 * @throws MigrateError `refused` before any SQL when a down.sql is missing or the history is not clean
 */
export async function down(
  client: Client,
  migrations: readonly Migration[],
  to: string | undefined,
  options: RunOptions,
): Promise<Finding> {
  const history = await readHistory(client);
  const before = findingOf(compare(migrations, history));
  if (before.result !== 'up to date' && before.result !== 'pending') return before;
  const names = history.map(row => row.migration_name);
  if (to !== undefined && !names.includes(to)) throw new MigrateError('refused', `${to} is not applied here`);
  const newestFirst = names.toReversed();
  const wanted = to === undefined ? newestFirst.slice(0, 1) : newestFirst.slice(0, newestFirst.indexOf(to));
  const plan = wanted.map(id => ({ id, sql: downOf(migrations, id) }));
  for (const { id, sql } of plan) {
    options.log(`reverting ${id}`);
    await inTransaction(client, id, sql, options, async () => {
      await client.query(
        'UPDATE "_prisma_migrations" SET "rolled_back_at" = now() WHERE "migration_name" = $1 AND "rolled_back_at" IS NULL',
        [id],
      );
    });
  }
  return { ...(await status(client, migrations)), result: 'reverted', reverted: wanted };
}

function downOf(migrations: readonly Migration[], id: string): string {
  const sql = migrations.find(migration => migration.id === id)?.down;
  if (sql === undefined) throw new MigrateError('refused', `${id} has no down.sql in this image: nothing was undone`);
  return sql;
}

function applyInTransaction(client: Client, migration: Migration, options: RunOptions): Promise<void> {
  return inTransaction(client, migration.id, migration.sql, options, async () => {
    await client.query(
      `INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name", "started_at", "finished_at", "applied_steps_count")
       VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
      [randomUUID(), migration.checksum, migration.id],
    );
  });
}

/** Waits for locks in short turns, so that the queue behind ours, which is the users' traffic, never stands long. */
async function inTransaction(
  client: Client,
  id: string,
  sql: string,
  options: RunOptions,
  record: () => Promise<void>,
): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await client.query('BEGIN');
      await client.query("SELECT set_config('lock_timeout', $1, true)", [`${options.lockTimeoutMs}ms`]);
      await client.query(sql);
      await record();
      await client.query('COMMIT');
      return;
    } catch (error) {
      if (isConnectionLoss(error)) throw error;
      await client.query('ROLLBACK');
      await retryOrStop(error, attempt, id, sql, options);
    }
  }
}

async function retryOrStop(
  error: unknown,
  attempt: number,
  id: string,
  sql: string,
  options: RunOptions,
): Promise<void> {
  if (!isLocked(error))
    throw new MigrateError('failed', `${id}: ${describe(error, sql)}`, { cause: error, failed: [id] });
  if (attempt >= LOCK_RETRIES) throw new MigrateError('locked', `${id}: ${describe(error, sql)}`, { cause: error });
  options.log(`${id} waits for a lock, retry ${attempt + 1} of ${LOCK_RETRIES}`);
  await sleep(options.lockTimeoutMs * (0.1 + Math.random() * 0.2));
}

/** Statement by statement with a row that says so: what was cut off here shows as interrupted, what failed as failed. */
async function applyInSteps(client: Client, migration: Migration): Promise<void> {
  const row = randomUUID();
  await client.query('INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name") VALUES ($1, $2, $3)', [
    row,
    migration.checksum,
    migration.id,
  ]);
  let steps = 0;
  for (const { sql, at } of statementsOf(migration.sql)) {
    try {
      await client.query(sql);
      steps += 1;
    } catch (error) {
      if (isConnectionLoss(error)) throw error;
      const message = `${migration.id}: ${describe(error, migration.sql, at)}`;
      await client.query('UPDATE "_prisma_migrations" SET "logs" = $2, "applied_steps_count" = $3 WHERE "id" = $1', [
        row,
        message,
        steps,
      ]);
      throw new MigrateError('failed', message, { cause: error, failed: [migration.id] });
    }
  }
  await client.query(
    'UPDATE "_prisma_migrations" SET "finished_at" = now(), "applied_steps_count" = $2 WHERE "id" = $1',
    [row, steps],
  );
}
