import { Client } from 'pg';
import { MigrateError } from './errors.ts';

const HINT =
  'DATABASE_URL leads to a pooler in transaction mode (PgBouncer?), which hands each transaction another connection: ' +
  'the lock that keeps two runs apart would not hold. Give migrations a URL that leads to PostgreSQL itself.';

const backendOf = async (client: Client): Promise<number | undefined> =>
  (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;

/**
 * The process id that the server told at the start differs from the one that answers only behind a pooler. In session
 * mode that one stays ours; in transaction mode a second client, while ours is idle, is given the same.
 * @throws MigrateError `refused` behind a transaction pool
 */
export async function refuseTransactionPool(
  client: Client,
  databaseUrl: string,
  connectTimeoutMs: number,
): Promise<void> {
  const backend = await backendOf(client);
  // told by the protocol, kept by pg, not in its types
  if (!('processID' in client) || client.processID === backend) return;
  const second = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: connectTimeoutMs });
  second.on('error', () => undefined);
  try {
    await second.connect();
    if ((await backendOf(second)) === backend) throw new MigrateError('refused', HINT);
  } finally {
    await second.end().catch(() => undefined);
  }
}
