import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { parseDatabaseUrl } from '../database-url.ts';
import { describe, describeRefusal, isConnectionLoss, isRefusal, MigrateError } from './errors.ts';
import { backendOf, refuseTransactionPool } from './pooler.ts';

/** The lock that Prisma's own engine takes, so that neither runs while the other does. */
const ADVISORY_LOCK = 72_707_369;
const LOCK_POLL_MS = 250;

export type SessionOptions = {
  readonly databaseUrl: string;
  readonly connectTimeoutMs: number;
  /** milliseconds; 0 is forever */
  readonly statementTimeoutMs: number;
  /** how long a statement may wait for a table's lock, milliseconds */
  readonly lockTimeoutMs: number;
  /** how long to wait for another run to end, milliseconds */
  readonly waitMs: number;
  /** aborted: the statement that runs is cancelled, and none begins */
  readonly signal?: AbortSignal | undefined;
};

export type Session = {
  readonly client: Client;
  /**
   * Undoes what a file left in the session: settings, role, temporary tables.
   * @throws MigrateError `unreachable` when the lock was lost meanwhile
   */
  reset(): Promise<void>;
  /** after SIGTERM */
  isStopping(): boolean;
};

/**
 * Runs `work` on one connection. Whatever goes wrong before or below the SQL is `unreachable`: nothing is known to be
 * wrong with the migrations, and waiting may help.
 * @throws MigrateError
 */
export async function withSession<Value>(
  options: SessionOptions,
  work: (session: Session) => Promise<Value>,
): Promise<Value> {
  try {
    return await withClient(options, async client => {
      const reset = () => resetSession(client, options);
      await reset();
      const stop = await cancelWhenAborted(client, options);
      try {
        return await work({ client, reset, isStopping: () => options.signal?.aborted === true });
      } finally {
        stop();
      }
    });
  } catch (error) {
    if (isConnectionLoss(error)) throw new MigrateError('unreachable', describe(error), { cause: error });
    throw error;
  }
}

const CANCEL_MS = 250;

/**
 * Cancels what runs, again and again until the work ends: it may stand between two statements. By the process id that
 * the server says itself, which no pooler changes.
 * @returns what ends it
 */
async function cancelWhenAborted(client: Client, options: SessionOptions): Promise<() => void> {
  const { signal } = options;
  if (signal === undefined) return () => undefined;
  const backend = await backendOf(client);
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    const cancel = () => {
      withClient(options, other => other.query('SELECT pg_cancel_backend($1)', [backend])).catch(() => undefined);
    };
    cancel();
    timer = setInterval(cancel, CANCEL_MS);
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  return () => {
    signal.removeEventListener('abort', begin);
    clearInterval(timer);
  };
}

async function withClient<Value>(options: SessionOptions, work: (client: Client) => Promise<Value>): Promise<Value> {
  const client = await connect(options);
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** @throws MigrateError `refused` when the server says no, `unreachable` when it says nothing */
async function connect(options: SessionOptions): Promise<Client> {
  const client = open(options);
  // a lost connection also rejects the query that was open; that one is reported
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    if (isRefusal(error)) throw new MigrateError('refused', describeRefusal(error), { cause: error });
    throw new MigrateError('unreachable', describe(error), { cause: error });
  }
}

function open({ databaseUrl, connectTimeoutMs }: SessionOptions): Client {
  try {
    return new Client({
      connectionString: parseDatabaseUrl(databaseUrl).connectionString,
      application_name: 'migrate',
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
    });
  } catch (cause) {
    // a file that sslrootcert, sslcert or sslkey names
    throw new MigrateError('misused', `DATABASE_URL: ${describe(cause)}`, { cause });
  }
}

// what a role's or a database's own settings would cut short; some are of newer versions of PostgreSQL
const ENDLESS = ['idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout'];

/** By statement: as startup parameters a pooler would refuse them. */
async function resetSession(client: Client, options: SessionOptions): Promise<void> {
  await client.query('RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; DISCARD TEMP; DEALLOCATE ALL; UNLISTEN *');
  const { schema } = parseDatabaseUrl(options.databaseUrl);
  const wanted = [
    ...ENDLESS.map(name => [name, '0']),
    ['statement_timeout', `${options.statementTimeoutMs}ms`],
    ['lock_timeout', `${options.lockTimeoutMs}ms`],
    ...(schema === undefined ? [] : [['search_path', client.escapeIdentifier(schema)]]),
  ];
  await client.query(
    `SELECT set_config(name, wanted.value, false) FROM pg_settings
     JOIN unnest($1::text[], $2::text[]) AS wanted(setting_name, value) ON setting_name = name`,
    [wanted.map(([name]) => name), wanted.map(([, value]) => value)],
  );
  // PostgreSQL 14 and newer: a statement whose client was killed stops within a second instead of running on
  await client.query("SELECT set_config('client_connection_check_interval', '1s', false)").catch(error => {
    if (isConnectionLoss(error)) throw error;
  });
}

/**
 * Holds the advisory lock during `work`, in a transaction on a connection of its own: it goes when the process dies,
 * and no pool can keep it.
 * @throws MigrateError `refused` behind a transaction pool, `locked` when another run holds it longer than `waitMs`
 */
export async function withLock<Value>(
  options: SessionOptions,
  { client, reset, isStopping }: Session,
  work: (session: Session) => Promise<Value>,
): Promise<Value> {
  await refuseTransactionPool(client, () => connect(options));
  return withClient(options, async holder => {
    const deadline = performance.now() + options.waitMs;
    while (!(await tryLock(holder))) {
      if (isStopping()) throw new MigrateError('stopped', 'SIGTERM came while another migration run held the lock');
      if (performance.now() >= deadline) throw new MigrateError('locked', 'another migration run holds the lock');
      await sleep(LOCK_POLL_MS);
    }
    return work({
      client,
      isStopping,
      reset: async () => {
        await holder.query('SELECT 1');
        await reset();
      },
    });
  });
}

/** READ COMMITTED keeps no snapshot between statements, which CREATE INDEX CONCURRENTLY would wait for. */
async function tryLock(holder: Client): Promise<boolean> {
  await holder.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  await holder.query(
    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = ANY($1) OR name = 'statement_timeout'",
    [ENDLESS],
  );
  const { rows } = await holder.query<{ locked: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS locked', [
    ADVISORY_LOCK,
  ]);
  if (rows[0]?.locked === true) return true;
  await holder.query('ROLLBACK');
  return false;
}
