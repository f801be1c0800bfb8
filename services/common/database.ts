import { type ClientBase, Pool } from 'pg';
import { Gauge, type Registry } from 'prom-client';
import { parseDatabaseUrl } from './database-url.ts';
import { inTime } from './in-time.ts';
import type { Logger } from './logging.ts';

export type DatabaseOptions = {
  readonly url: string;
  readonly applicationName: string;
  readonly poolMax: number;
  /** milliseconds to get a connection, from the pool or the server */
  readonly connectTimeoutMs: number;
  /** milliseconds to get an answer */
  readonly queryTimeoutMs: number;
};

/** A small pool. Its members are thrown away on an error, so it recovers by itself when the database does. */
export function createPool(options: DatabaseOptions, onIdleError: (error: Error) => void): Pool {
  const { connectionString, schema } = parseDatabaseUrl(options.url);
  const pool = new Pool({
    connectionString,
    application_name: options.applicationName,
    max: options.poolMax,
    connectionTimeoutMillis: options.connectTimeoutMs,
    query_timeout: options.queryTimeoutMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    // by statement: as a startup parameter a pooler would refuse it
    ...(schema !== undefined && { onConnect: (client: ClientBase) => setSchema(client, schema) }),
  });
  // an idle connection that the server closes would otherwise end the process
  pool.on('error', onIdleError);
  return pool;
}

async function setSchema(client: ClientBase, schema: string): Promise<void> {
  await client.query("SELECT set_config('search_path', $1, false)", [client.escapeIdentifier(schema)]);
}

export type DatabaseConfig = {
  readonly DATABASE_URL: string;
  readonly DB_POOL_MAX: number;
  readonly DB_POOL_TIMEOUT_MS: number;
  readonly DB_QUERY_TIMEOUT_MS: number;
};

/** A process' pool as its configuration wants it, its connections counted, the lost ones told in the log. */
export function openPool(
  config: DatabaseConfig,
  applicationName: string,
  logger: Logger,
  registry: Registry,
): { readonly pool: Pool; readonly load: PoolLoad; readonly options: DatabaseOptions } {
  const options = {
    url: config.DATABASE_URL,
    applicationName,
    poolMax: config.DB_POOL_MAX,
    connectTimeoutMs: config.DB_POOL_TIMEOUT_MS,
    queryTimeoutMs: config.DB_QUERY_TIMEOUT_MS,
  };
  const pool = createPool(options, error => logger.warn({ err: error }, 'a database connection was lost'));
  countConnections(pool, registry);
  return { pool, load: loadOf(pool, options.poolMax), options };
}

/** How much is asked of a pool, and whether the database keeps up (overload.ts). */
export type PoolLoad = {
  readonly size: number;
  /** requests without a connection */
  readonly waiting: () => number;
  /** when the database answered somebody last; milliseconds of the clock that only goes forward */
  readonly answeredAt: () => number;
};

function loadOf(pool: Pool, size: number): PoolLoad {
  let answeredAt = Number.NEGATIVE_INFINITY;
  pool.on('release', error => {
    if (!error) answeredAt = performance.now();
  });
  return { size, waiting: () => pool.waitingCount, answeredAt: () => answeredAt };
}

function countConnections(pool: Pool, registry: Registry): void {
  new Gauge({
    name: 'db_pool_connections',
    help: 'Connections of the pool: in use, idle, and requests that wait for one',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      this.set({ state: 'used' }, pool.totalCount - pool.idleCount);
      this.set({ state: 'idle' }, pool.idleCount);
      this.set({ state: 'waiting' }, pool.waitingCount);
    },
  });
}

/** A question to a dependency that is always answered in time: true, or false. */
export type Probe = { answers(): Promise<boolean>; close(): Promise<void> };

const PROBE_TIMEOUT_MS = 800;

/**
 * Asks the database for a sign of life over a connection of its own: a pool that users keep busy is not a database
 * that is down. `warmUp` must have succeeded once as well, so that the first user does not pay for it.
 */
export function databaseProbe(options: DatabaseOptions, warmUp: () => Promise<unknown>): Probe {
  const pool = createPool({ ...options, poolMax: 1 }, () => undefined);
  let warm = false;
  const ask = async () => {
    await pool.query('SELECT 1');
    if (!warm) await warmUp();
    warm = true;
  };
  return { answers: answersInTime(ask), close: () => pool.end() };
}

/** Turns a question into one that is answered within `timeoutMs`; callers in the meantime share the answer. */
export function answersInTime(ask: () => Promise<unknown>, timeoutMs = PROBE_TIMEOUT_MS): () => Promise<boolean> {
  let open: Promise<boolean> | undefined;
  return () => {
    open ??= inTime(ask(), timeoutMs).finally(() => {
      open = undefined;
    });
    return open;
  };
}
