import type { Client } from 'pg';
import { describe, isConnectionLoss, MigrateError } from './errors.ts';
import type { Migration } from './files.ts';
import { leftovers, readInvalidIndexes } from './indexes.ts';
import { type Statement, statementsOf } from './statements.ts';
import { type Run, refuseWhenStopping, waitForTurn } from './turns.ts';

/** Statements that leave nothing behind: after them alone a file may begin again. */
const SETTING = /^(?:SET|RESET|SHOW)\b/;

/** What waiting mends. */
const PASSING: readonly string[] = ['locked', 'readonly', 'stopped'];

/**
 * Statement by statement with a row that says so: what was cut off here shows as interrupted, what failed as failed.
 * What only met a lock before anything was done is taken back: the next run begins again by itself.
 * @throws MigrateError
 */
export async function applyInSteps(run: Run, migration: Migration): Promise<void> {
  const { history, session } = run;
  const row = await history.recordBegun(migration);
  let steps = 0;
  let isUntouched = true;
  for (const statement of statementsOf(migration.sql)) {
    try {
      await execute(run, migration, statement);
    } catch (error) {
      if (!(error instanceof MigrateError)) throw error;
      await session.client.query('ROLLBACK'); // of a transaction that the file began
      await session.reset();
      const message = await withInvalidIndexes(session.client, error.message);
      await history.recordFailed(row, message, steps);
      if (!isUntouched || !PASSING.includes(error.result))
        throw new MigrateError('failed', message, { cause: error, failed: [migration.id] });
      await history.recordRolledBack(migration.id);
      throw new MigrateError(error.result, message, { cause: error });
    }
    steps += 1;
    isUntouched &&= SETTING.test(statement.words.join(' '));
  }
  await session.client.query('RESET SESSION AUTHORIZATION; RESET ROLE');
  await history.recordFinished(row, steps);
}

/** @throws MigrateError, or what the connection's end threw */
async function execute(run: Run, { id, sql: file }: Migration, { sql, at, words }: Statement): Promise<void> {
  const { client } = run.session;
  const isConcurrent = words.includes('CONCURRENTLY');
  for (let attempt = 0; ; attempt += 1) {
    try {
      refuseWhenStopping(run, id);
      if (isConcurrent) await dropLeftovers(run, sql);
      await client.query(sql);
      return;
    } catch (error) {
      if (isConnectionLoss(error)) throw error;
      // within a transaction of the file's own the statement cannot be said again
      const isLast = client.getTransactionStatus() === 'E';
      await waitForTurn(run, error, isLast ? Number.POSITIVE_INFINITY : attempt, id, describe(error, file, at));
    }
  }
}

/** An index that an attempt before left invalid would be in the way, or with IF NOT EXISTS be taken for the real one. */
async function dropLeftovers({ session: { client }, log }: Run, sql: string): Promise<void> {
  for (const { qualified } of await leftovers(client, sql)) {
    log(`dropping the invalid index ${qualified}, which an earlier attempt left`);
    await client.query(`DROP INDEX CONCURRENTLY ${qualified}`);
  }
}

async function withInvalidIndexes(client: Client, message: string): Promise<string> {
  const invalid = (await readInvalidIndexes(client)).map(({ qualified }) => qualified);
  return invalid.length > 0 ? `${message}. Invalid indexes here: ${invalid.join(', ')}` : message;
}
