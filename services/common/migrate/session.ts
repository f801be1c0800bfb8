import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { describe, isConnectionLoss, MigrateError } from './errors.ts';

/** The lock that Prisma's own engine takes, so that neither runs while the other does. */
const ADVISORY_LOCK = 72_707_369;
const LOCK_POLL_MS = 250;

export type SessionOptions = {
  readonly databaseUrl: string;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  /** how long to wait for another run to end, milliseconds */
  readonly waitMs: number;
};

/**
 * Runs `work` on one connection. Whatever goes wrong before or below the SQL is `unreachable`: nothing is known to be
 * wrong with the migrations, and waiting may help.
 * @throws MigrateError
 */
export async function withSession<Value>(
  options: SessionOptions,
  work: (client: Client) => Promise<Value>,
): Promise<Value> {
  const client = new Client({
    connectionString: options.databaseUrl,
    application_name: 'migrate',
    connectionTimeoutMillis: options.connectTimeoutMs,
    keepAlive: true,
  });
  // a lost connection also rejects the query that was open; that one is reported
  client.on('error', () => undefined);
  try {
    await connect(client);
    await limitStatements(client, options.statementTimeoutMs);
    return await work(client);
  } catch (error) {
    if (isConnectionLoss(error)) throw new MigrateError('unreachable', describe(error), { cause: error });
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function connect(client: Client): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    throw new MigrateError('unreachable', describe(error), { cause: error });
  }
  // PostgreSQL 14 and newer: a statement whose client was killed stops within a second instead of running on
  await client.query("SELECT set_config('client_connection_check_interval', '1s', false)").catch(error => {
    if (isConnectionLoss(error)) throw error;
  });
}

/**
 * Holds the advisory lock during `work`. The lock belongs to the session: it goes when the process dies.
 * @throws MigrateError `locked` when another run holds it longer than `waitMs`
 */
export async function withLock<Value>(client: Client, waitMs: number, work: () => Promise<Value>): Promise<Value> {
  const deadline = performance.now() + waitMs;
  while (!(await tryLock(client))) {
    if (performance.now() >= deadline) throw new MigrateError('locked', 'another migration run holds the lock');
    await sleep(LOCK_POLL_MS);
  }
  return work();
}

/** Set by statement: as a startup parameter a pooler would refuse it. */
async function limitStatements(client: Client, milliseconds: number): Promise<void> {
  if (milliseconds > 0) await client.query("SELECT set_config('statement_timeout', $1, false)", [`${milliseconds}ms`]);
}

async function tryLock(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
    ADVISORY_LOCK,
  ]);
  return rows[0]?.locked === true;
}
