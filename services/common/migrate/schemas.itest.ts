import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { query, startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { type TemporaryFolder, temporaryFolder } from '../testing/processes.ts';
import { migrateCli } from './cli.ts';

const SERVICES = ['devshelf', 'dashboard'] as const;

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres?.remove());

let shipped: TemporaryFolder;
beforeEach(() => {
  shipped = temporaryFolder('devshelf-migrations-');
});
afterEach(() => shipped.remove());

/** Everything that a migration can make, but for the runner's own table. One line each. */
const SCHEMA = `
  SELECT line FROM (
    SELECT concat_ws(' ', 'column', table_name, column_name, udt_name, character_maximum_length, is_nullable, column_default) AS line
      FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_prisma_migrations'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> '_prisma_migrations'
    UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace AND conrelid <> coalesce(to_regclass('_prisma_migrations'), 0)
    UNION ALL SELECT concat_ws(' ', 'trigger', tgrelid::regclass, pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc p
      WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
      AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
    UNION ALL SELECT concat_ws(' ', 'extension', extname) FROM pg_extension
    UNION ALL SELECT concat_ws(' ', 'text search', cfgname) FROM pg_ts_config WHERE cfgnamespace = 'public'::regnamespace
  ) AS lines ORDER BY line`;

test.each(SERVICES)(
  '%s: each down.sql takes back what its migration did, neither more nor less',
  async service => {
    const all = new URL(`../../${service}/prisma/migrations`, import.meta.url).pathname;
    const ids = readdirSync(all)
      .filter(name => /^\d/.test(name))
      .sort();
    const url = await postgres.createDatabase(service);
    const environment = { DATABASE_URL: url, MIGRATIONS_DIR: shipped.path };
    const run = async (command: string) => expect(await migrateCli({ args: [command], environment })).toBe(0);
    const schema = async () => (await query(url, SCHEMA)).map(({ line }) => line);

    const onTheWayUp = [await schema()];
    for (const id of ids) {
      cpSync(join(all, id), join(shipped.path, id), { recursive: true });
      await run('up');
      onTheWayUp.push(await schema());
    }
    expect(new Set(onTheWayUp.map(String)).size).toBe(ids.length + 1);
    for (const before of onTheWayUp.slice(0, -1).reverse()) {
      // an exit code of 1 says no more than that something is pending again
      await migrateCli({ args: ['down'], environment });
      expect(await schema()).toEqual(before);
    }
    await run('up');
    expect(await schema()).toEqual(onTheWayUp.at(-1));
  },
  60_000,
);

test.each(SERVICES)('%s: the release before can live with every migration', async service => {
  const MIGRATIONS_DIR = new URL(`../../${service}/prisma/migrations`, import.meta.url).pathname;
  expect(await migrateCli({ args: ['lint'], environment: { DATABASE_URL: postgres.url, MIGRATIONS_DIR } })).toBe(0);
});
