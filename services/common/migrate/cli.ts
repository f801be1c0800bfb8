import { parseArgs } from 'node:util';
import type { Client } from 'pg';
import { z } from 'zod';
import { ConfigError, databaseUrl, type Environment, readConfig } from '../config.ts';
import { describe, isConnectionLoss, MigrateError } from './errors.ts';
import { type Migration, readMigrations } from './files.ts';
import { findContract } from './lint.ts';
import { refuseTransactionPool } from './pooler.ts';
import { down, type Finding, type RunOptions, status, up } from './run.ts';
import { type SessionOptions, withLock, withSession } from './session.ts';
import { EXIT_CODES, nothing, sayVerdict, type Verdict } from './verdict.ts';

const milliseconds = (fallback: number) =>
  z.coerce.number('must be a number of milliseconds').int().min(0).default(fallback);

const migrateConfig = z.object({
  DATABASE_URL: databaseUrl.optional(),
  MIGRATIONS_DIR: z.string().default('prisma/migrations'),
  TERMINATION_LOG: z.string().default('/dev/termination-log'),
  MIGRATE_CONNECT_TIMEOUT_MS: milliseconds(5_000),
  MIGRATE_LOCK_TIMEOUT_MS: milliseconds(5_000),
  MIGRATE_STATEMENT_TIMEOUT_MS: milliseconds(0),
  /** how long to wait for another run */
  MIGRATE_WAIT_MS: milliseconds(60_000),
});

type MigrateConfig = z.output<typeof migrateConfig>;

/** Writes a service's sample rows. Must be harmless when run twice. */
export type Seed = (client: Client) => Promise<void>;

export type CliOptions = { readonly args: readonly string[]; readonly environment: Environment; readonly seed?: Seed };

const USAGE = 'usage: migrate up | down [--to ID] | status | lint | seed';

type Task = {
  readonly config: MigrateConfig;
  readonly to: string | undefined;
  readonly seed: Seed | undefined;
  readonly run: RunOptions;
};

const log = (message: string) => process.stdout.write(`${message}\n`);

/** Says the verdict and gives the exit code; never throws. */
export async function migrateCli({ args, environment, seed }: CliOptions): Promise<number> {
  const begun = performance.now();
  const finding = await findingOf(args, environment, seed);
  const verdict: Verdict = { ...finding, ms: Math.round(performance.now() - begun) };
  sayVerdict(verdict, environment['TERMINATION_LOG'] ?? '/dev/termination-log');
  return EXIT_CODES[verdict.result];
}

/**
 * The command of an image. As a container's first process it would ignore SIGTERM; here it ends at once, and the server
 * rolls back what was open.
 */
export function migrateMain(options: CliOptions): Promise<number> {
  process.once('SIGTERM', () => process.exit(TERMINATED));
  return migrateCli(options);
}

/** 128 + SIGTERM */
const TERMINATED = 143;

async function findingOf(args: readonly string[], environment: Environment, seed: Seed | undefined): Promise<Finding> {
  try {
    const { command, to } = parseCommand(args);
    const config = readConfig(migrateConfig, environment);
    return await COMMANDS[command]({ config, to, seed, run: { lockTimeoutMs: config.MIGRATE_LOCK_TIMEOUT_MS, log } });
  } catch (error) {
    if (error instanceof MigrateError)
      return { ...nothing, result: error.result, failed: error.failed, message: error.message };
    return { ...nothing, result: error instanceof ConfigError ? 'misused' : 'failed', message: describe(error) };
  }
}

function parseCommand(args: readonly string[]): { command: keyof typeof COMMANDS; to: string | undefined } {
  const { positionals, values } = parseOrExplain(args);
  const [command, ...more] = positionals;
  if (command === undefined || !isCommand(command) || more.length > 0) throw new MigrateError('misused', USAGE);
  if (values.to !== undefined && command !== 'down') throw new MigrateError('misused', USAGE);
  return { command, to: values.to };
}

function parseOrExplain(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: { to: { type: 'string' } } });
  } catch (cause) {
    throw new MigrateError('misused', USAGE, { cause });
  }
}

const COMMANDS = {
  up: task => onDatabase(task, true, (client, migrations) => up(client, migrations, task.run)),
  down: task => onDatabase(task, true, (client, migrations) => down(client, migrations, task.to, task.run)),
  status: task => onDatabase(task, false, status),
  lint,
  seed: task => onDatabase(task, true, client => plant(client, task.seed)),
} satisfies Record<string, (task: Task) => Promise<Finding>>;

const isCommand = (word: string): word is keyof typeof COMMANDS => Object.hasOwn(COMMANDS, word);

async function onDatabase(
  { config }: Task,
  alone: boolean,
  work: (client: Client, migrations: readonly Migration[]) => Promise<Finding>,
): Promise<Finding> {
  const migrations = await filesOf(config);
  const session = sessionOf(config);
  return withSession(session, async client => {
    if (!alone) return work(client, migrations);
    await refuseTransactionPool(client, session.databaseUrl, session.connectTimeoutMs);
    return withLock(client, session.waitMs, () => work(client, migrations));
  });
}

async function filesOf(config: MigrateConfig): Promise<readonly Migration[]> {
  try {
    return await readMigrations(config.MIGRATIONS_DIR);
  } catch (cause) {
    throw new MigrateError('misused', `MIGRATIONS_DIR: ${describe(cause)}`, { cause });
  }
}

function sessionOf(config: MigrateConfig): SessionOptions {
  if (config.DATABASE_URL === undefined) throw new MigrateError('misused', 'DATABASE_URL: is required');
  return {
    databaseUrl: config.DATABASE_URL,
    connectTimeoutMs: config.MIGRATE_CONNECT_TIMEOUT_MS,
    statementTimeoutMs: config.MIGRATE_STATEMENT_TIMEOUT_MS,
    waitMs: config.MIGRATE_WAIT_MS,
  };
}

/** Looks at what is pending; without a database, at every migration. */
async function lint(task: Task): Promise<Finding> {
  if (task.config.DATABASE_URL !== undefined) {
    return onDatabase(task, false, async (client, migrations) => judged(await status(client, migrations)));
  }
  const contract = findContract(await filesOf(task.config));
  return judged({ ...nothing, result: 'clean', contract });
}

const judged = (finding: Finding): Finding => ({
  ...finding,
  result: finding.contract.length > 0 ? 'contract' : 'clean',
});

async function plant(client: Client, seed: Seed | undefined): Promise<Finding> {
  if (seed === undefined) throw new MigrateError('misused', 'this image has no sample rows');
  try {
    await seed(client);
  } catch (error) {
    if (isConnectionLoss(error)) throw error;
    throw new MigrateError('failed', describe(error), { cause: error });
  }
  return { ...nothing, result: 'seeded' };
}
