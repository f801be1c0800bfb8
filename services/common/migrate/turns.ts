import { setTimeout as sleep } from 'node:timers/promises';
import { type Done, describe, isCancelled, isConnectionLoss, isLocked, isReadOnly, MigrateError } from './errors.ts';
import type { Migration } from './files.ts';
import type { HistoryTable } from './history.ts';
import type { Session } from './session.ts';

const LOCK_RETRIES = 3;

/** `withhold` agrees to none. */
export type Agreement = 'all' | 'withhold' | readonly string[];

/** What every command works with. */
export type Run = {
  readonly session: Session;
  readonly history: HistoryTable;
  readonly migrations: readonly Migration[];
  /** how long one statement may wait for a lock, milliseconds, before it lets the traffic pass and is tried again */
  readonly lockTimeoutMs: number;
  /** which of the migrations that take something away may be applied, by id */
  readonly contract: Agreement;
  readonly log: (message: string) => void;
  /** told of what was done so far, each time that is more: should no answer come any more, it is said all the same */
  readonly keep: (done: Done) => void;
};

/**
 * SQL and what records it, together or not at all.
 * @throws MigrateError
 */
export const inTransaction = (run: Run, id: string, sql: string, record: () => Promise<void>): Promise<void> =>
  inTurns(run, id, sql, async () => {
    await run.session.client.query(sql);
    // whoever the file made itself, the row is ours
    await run.session.client.query('RESET SESSION AUTHORIZATION; RESET ROLE');
    await record();
  });

/**
 * One transaction. Waits for locks in short turns, so that the queue behind ours, which is the users' traffic, never
 * stands long. `sql` is where an error's line is counted.
 * @throws MigrateError
 */
export async function inTurns(run: Run, id: string, sql: string, work: () => Promise<void>): Promise<void> {
  const { client } = run.session;
  for (let attempt = 0; ; attempt += 1) {
    refuseWhenStopping(run, id);
    try {
      await client.query('BEGIN');
      await work();
      await client.query('COMMIT');
      return;
    } catch (error) {
      if (isConnectionLoss(error)) throw error;
      await client.query('ROLLBACK');
      await waitForTurn(run, error, attempt, id, describe(error, sql));
    }
  }
}

/**
 * Lets the others pass when it was a lock that stopped us.
 * @throws MigrateError when it was not, or when these were turns enough
 */
export async function waitForTurn(run: Run, cause: unknown, attempt: number, id: string, words: string): Promise<void> {
  if (!isLocked(cause) || attempt >= LOCK_RETRIES || run.session.isStopping()) throw ended(run, cause, id, words);
  run.log(`${id} waits for a lock, retry ${attempt + 1} of ${LOCK_RETRIES}`);
  await sleep(run.lockTimeoutMs * (0.1 + Math.random() * 0.2));
}

/** @throws MigrateError `stopped` after SIGTERM */
export function refuseWhenStopping({ session }: Run, id: string): void {
  if (session.isStopping()) throw new MigrateError('stopped', `SIGTERM came before ${id} began`);
}

function ended({ session }: Run, cause: unknown, id: string, words: string): MigrateError {
  if (cause instanceof MigrateError) return cause;
  if (session.isStopping() && (isCancelled(cause) || isLocked(cause)))
    return new MigrateError('stopped', `SIGTERM came during ${id}; nothing of it is left`, { cause });
  const message = `${id}: ${words}`;
  if (isLocked(cause)) return new MigrateError('locked', message, { cause });
  if (isReadOnly(cause)) return new MigrateError('readonly', message, { cause });
  return new MigrateError('failed', message, { cause, failed: [id] });
}
