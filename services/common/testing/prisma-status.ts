// What `prisma migrate status` says of a database: the same question to the same engine. The CLI itself brings that as a
// program for each platform, fetched when it is installed; here it is the engine's build as WebAssembly.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';

const SCHEMA = 'datasource db {\n  provider = "postgresql"\n}\n';
const LOCK = 'provider = "postgresql"\n';

export interface PrismaStatus {
  /** Empty and nothing failed or edited: "Database schema is up to date!" */
  readonly unapplied: readonly string[];
  readonly edited: readonly string[];
  readonly failed: readonly string[];
  /** In the database only. */
  readonly unknown: readonly string[];
}

/** The types of Node know its types and not its functions. */
async function instantiate(program: Uint8Array, imports: object): Promise<Record<string, () => void>> {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: never } }> };
  };
  return (await WebAssembly.instantiate(program, imports)).instance.exports;
}

let loaded: Promise<void> | undefined;

async function load(): Promise<void> {
  const main = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm');
  const bytes = readFileSync(join(main, '..', 'schema_engine_bg.wasm'));
  const engine = await instantiate(bytes, { './schema_engine_bg.js': bindings });
  bindings.__wbg_set_wasm(engine);
  engine['__wbindgen_start']?.();
}

/** Migrations as the CLI reads them from their folder. */
function migrationsIn(baseDir: string) {
  const ids = readdirSync(baseDir, { withFileTypes: true }).filter(entry => entry.isDirectory());
  const text = (id: string) => readFileSync(join(baseDir, id, 'migration.sql'), 'utf8');
  const read = (id: string) => ({ path: 'migration.sql', content: { tag: 'ok' as const, value: text(id) } });
  const directories = ids.map(({ name }) => ({ path: name, migrationFile: read(name) }));
  return {
    baseDir,
    lockfile: { path: 'migration_lock.toml', content: LOCK },
    shadowDbInitScript: '',
    migrationDirectories: directories.sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

export async function prismaStatus(connectionString: string, folder: string): Promise<PrismaStatus> {
  loaded ??= load();
  await loaded;
  const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPg({ connectionString }));
  const engine = await bindings.SchemaEngine.new({ datamodels: [['schema.prisma', SCHEMA]] }, () => {}, adapter);
  try {
    const { history, editedMigrationNames, failedMigrationNames } = await engine.diagnoseMigrationHistory({
      migrationsList: migrationsIn(folder),
      optInToShadowDatabase: false,
      filters: { externalTables: [], externalEnums: [] },
    });
    return {
      unapplied: history && 'unappliedMigrationNames' in history ? history.unappliedMigrationNames : [],
      edited: editedMigrationNames,
      failed: failedMigrationNames,
      unknown: history && 'unpersistedMigrationNames' in history ? history.unpersistedMigrationNames : [],
    };
  } finally {
    engine.free();
  }
}
