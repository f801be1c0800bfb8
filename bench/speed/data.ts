import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startPostgres, type TestPostgres } from '../../services/common/testing/postgres.ts';
import { startRedis, type TestRedis } from '../../services/common/testing/redis.ts';
import { CHECKOUT } from '../../test-e2e/cluster/paths.ts';

export const PASSWORD = 'for-the-bench';

export type Sizes = { readonly resources: number; readonly movements: number };

/** A real PostgreSQL and Redis on loopback, both databases filled. */
export type Data = {
  readonly postgres: TestPostgres;
  readonly redis: TestRedis;
  readonly devshelfUrl: string;
  readonly dashboardUrl: string;
  remove(): Promise<void>;
};

export async function startData({ resources, movements }: Sizes): Promise<Data> {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const devshelfUrl = await postgres.createDatabase('devshelf');
  const dashboardUrl = await postgres.createDatabase('dashboard');
  await migrate('devshelf', devshelfUrl, 'up');
  await migrate(
    'devshelf',
    devshelfUrl,
    'seed',
    '--resources',
    String(resources),
    '--users',
    '50',
    '--password',
    PASSWORD,
  );
  await migrate('dashboard', dashboardUrl, 'up');
  await migrate('dashboard', dashboardUrl, 'seed', '--movements', String(movements), '--seed', '7');
  return {
    postgres,
    redis,
    devshelfUrl,
    dashboardUrl,
    remove: async () => {
      await Promise.all([postgres.remove(), redis.remove()]);
    },
  };
}

async function migrate(service: string, databaseUrl: string, ...args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [`services/${service}/migrate.ts`, ...args], {
    cwd: CHECKOUT,
    env: { DATABASE_URL: databaseUrl, MIGRATIONS_DIR: `services/${service}/prisma/migrations` },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${service}: migrate ${args.join(' ')} ended with ${code}`);
}
