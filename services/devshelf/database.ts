import { PrismaPg } from '@prisma/adapter-pg';
import type { Pool } from 'pg';
import type { Registry } from 'prom-client';
import { databaseProbe, openPool, type PoolLoad, type Probe } from '../common/database.ts';
import { parseDatabaseUrl } from '../common/database-url.ts';
import type { Logger } from '../common/logging.ts';
import type { ApiConfig } from './config.ts';
import { PrismaClient } from './generated/client.ts';

export type Database = {
  readonly prisma: PrismaClient;
  /** the connections below Prisma's client, for reads where it costs too much */
  readonly pool: Pool;
  readonly load: PoolLoad;
  readonly probe: Probe;
  close(): Promise<void>;
};

/** Opens nothing yet: connections are made when they are needed. */
export function openDatabase(config: ApiConfig, logger: Logger, registry: Registry): Database {
  const { pool, load, options } = openPool(config, config.APP_NAME, logger, registry);
  const { schema } = parseDatabaseUrl(options.url);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool, schema === undefined ? {} : { schema }) });
  const probe = databaseProbe(options, () => prisma.user.findFirst({ select: { id: true } }));
  return {
    prisma,
    pool,
    load,
    probe,
    close: async () => {
      await prisma.$disconnect();
      await Promise.all([pool.end(), probe.close()]);
    },
  };
}
