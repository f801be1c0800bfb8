import { parseArgs } from 'node:util';
import type { Client } from 'pg';
import * as z from 'zod';
import { ConfigError, databaseUrl, type Environment, readConfig } from '../config.ts';
import { describe, isConnectionLoss, MigrateError } from './errors.ts';
import { type Migration, readMigrations } from './files.ts';
import { findContract } from './lint.ts';
import { refuseTransactionPool } from './pooler.ts';
import { down, type Finding, type RunOptions, status, up } from './run.ts';
import { describeFlags, type Plant, type Seed } from './seed.ts';
import { type SessionOptions, withLock, withSession } from './session.ts';
import { EXIT_CODES, nothing, sayVerdict, type Verdict } from './verdict.ts';

const milliseconds = (fallback: number) =>
  z.coerce.number('must be a number of milliseconds').int().min(0).default(fallback);

export const migrateConfig = z.object({
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

export type CliOptions = { readonly args: readonly string[]; readonly environment: Environment; readonly seed?: Seed };

const USAGE = 'usage: migrate up | down [--to ID] | status | lint | seed [flags] | --help';

const COMMANDS_HELP = `${USAGE}

  up              applies what is pending
  down            undoes the last migration, or all after --to ID
  status          says what is applied and pending; exit 1 when something is pending
  lint            says what the running release could not live with; exit 1 when there is something
  seed            writes sample rows into an empty database
`;

type Task = {
  readonly config: MigrateConfig;
  readonly to: string | undefined;
  readonly plant: Plant | undefined;
  readonly run: RunOptions;
};

const log = (message: string) => process.stdout.write(`${message}\n`);

/** Says the verdict and gives the exit code; never throws. */
export async function migrateCli({ args, environment, seed }: CliOptions): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(COMMANDS_HELP + (seed ? describeFlags(seed) : ''));
    return 0;
  }
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
    const { command, to, plant } = parseCommand(args, seed);
    const config = readConfig(migrateConfig, environment);
    return await COMMANDS[command]({ config, to, plant, run: { lockTimeoutMs: config.MIGRATE_LOCK_TIMEOUT_MS, log } });
  } catch (error) {
    if (error instanceof MigrateError)
      return { ...nothing, result: error.result, failed: error.failed, message: error.message };
    return { ...nothing, result: error instanceof ConfigError ? 'misused' : 'failed', message: describe(error) };
  }
}

type Asked = {
  readonly command: keyof typeof COMMANDS;
  readonly to: string | undefined;
  readonly plant: Plant | undefined;
};

function parseCommand(args: readonly string[], seed: Seed | undefined): Asked {
  const { positionals, values } = parseOrExplain(args, seed);
  const [command, ...more] = positionals;
  if (command === undefined || !isCommand(command) || more.length > 0) throw new MigrateError('misused', USAGE);
  const { to, ...flags } = values;
  if (to !== undefined && command !== 'down') throw new MigrateError('misused', USAGE);
  if (Object.keys(flags).length > 0 && command !== 'seed') throw new MigrateError('misused', USAGE);
  return { command, to, plant: command === 'seed' ? seed?.prepare(flags) : undefined };
}

function parseOrExplain(args: readonly string[], seed: Seed | undefined) {
  const flags = ['to', ...(seed?.flags ?? []).map(({ name }) => name)];
  const options = Object.fromEntries(flags.map(name => [name, { type: 'string' as const }]));
  try {
    const { positionals, values } = parseArgs({ args: [...args], allowPositionals: true, options });
    return { positionals, values: values as Readonly<Record<string, string | undefined>> };
  } catch (cause) {
    throw new MigrateError('misused', USAGE, { cause });
  }
}

const COMMANDS = {
  up: task => onDatabase(task, true, (client, migrations) => up(client, migrations, task.run)),
  down: task => onDatabase(task, true, (client, migrations) => down(client, migrations, task.to, task.run)),
  status: task => onDatabase(task, false, status),
  lint,
  seed: task => onDatabase(task, true, client => seeded(client, task.plant)),
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

async function seeded(client: Client, plant: Plant | undefined): Promise<Finding> {
  if (plant === undefined) throw new MigrateError('misused', 'this image has no sample rows');
  try {
    await plant(client);
  } catch (error) {
    if (isConnectionLoss(error)) throw error;
    throw new MigrateError('failed', describe(error), { cause: error });
  }
  return { ...nothing, result: 'seeded' };
}
