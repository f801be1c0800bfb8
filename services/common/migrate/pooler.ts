import type { Client } from 'pg';
import { MigrateError } from './errors.ts';

const HINT =
  'DATABASE_URL leads to a pooler in transaction mode (PgBouncer?), which hands each transaction another connection: ' +
  'a setting of one migration would reach other users. Give migrations a URL that leads to PostgreSQL itself.';

/** Others use the pool meanwhile: one look may find everything where it was, so many do not. */
const LOOKS = 25;

/** The process that answers, whatever stands between. */
export const backendOf = async (client: Client): Promise<number | undefined> =>
  (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;

/**
 * The process id that the server told at the start differs from the one that answers only behind a pooler. In session
 * mode that one stays ours; in transaction mode it changes, or a second client is given it while ours is idle.
 * @throws MigrateError `refused` behind a transaction pool
 */
export async function refuseTransactionPool(client: Client, connectSecond: () => Promise<Client>): Promise<void> {
  const backend = await backendOf(client);
  // told by the protocol, kept by pg, not in its types
  if (!('processID' in client) || client.processID === backend) return;
  const second = await connectSecond();
  try {
    for (let look = 0; look < LOOKS; look += 1) {
      if ((await backendOf(second)) === backend || (await backendOf(client)) !== backend)
        throw new MigrateError('refused', HINT);
    }
  } finally {
    await second.end().catch(() => undefined);
  }
}
