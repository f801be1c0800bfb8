import type { Pool } from 'pg';
import type { Registry } from 'prom-client';
import { createPool, databaseProbe, openPool, type PoolLoad, type Probe } from '../common/database.ts';
import type { Logger } from '../common/logging.ts';
import type { DashboardConfig } from './config.ts';
import type { Sql } from './figures.ts';

export type Database = {
  readonly sql: Sql;
  readonly load: PoolLoad;
  readonly probe: Probe;
  /** folds what was written since the last time into the summary tables; the figures are the same before and after */
  fold(): Promise<void>;
  close(): Promise<void>;
};

/** After a bulk load there is much to fold; nobody waits for it. */
const FOLD_TIMEOUT_MS = 120_000;

/**
 * Opens nothing yet: connections are made when they are needed. The figures are aggregates over summary tables, so
 * they are written in SQL and go straight to the driver.
 */
export function openDatabase(config: DashboardConfig, logger: Logger, registry: Registry): Database {
  const { pool, load, options } = openPool(config, 'dashboard', logger, registry);
  // a connection of its own, lest a long fold and the users' short queries wait for each other
  const folding = createPool({ ...options, poolMax: 1, queryTimeoutMs: FOLD_TIMEOUT_MS }, () => undefined);
  const probe = databaseProbe(options, () => pool.query('SELECT FROM figuras_pedidos LIMIT 1'));
  return {
    sql: sqlOf(pool),
    load,
    probe,
    fold: async () => {
      await folding.query('SELECT resumenes_plegar()');
    },
    close: async () => {
      await Promise.all([pool.end(), folding.end(), probe.close()]);
    },
  };
}

const sqlOf =
  (pool: Pool): Sql =>
  async <Row extends object>(text: string, values?: readonly unknown[]) => {
    const { rows } = await pool.query<Row>(text, values ? [...values] : []);
    return rows;
  };
