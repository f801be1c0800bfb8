import { parseArgs } from 'node:util';
import * as z from 'zod';
import { ConfigError, databaseUrl, type Environment, readConfig } from '../config.ts';
import { baseline, resolve } from './baseline.ts';
import { down, type Scope } from './down.ts';
import { type Done, describe, isConnectionLoss, MigrateError } from './errors.ts';
import { type Migration, readAdoption, readMigrations } from './files.ts';
import { findHistory } from './history.ts';
import { lintScratch, lintText, withScratch } from './lint.ts';
import { type Finding, status, up } from './run.ts';
import { describeFlags, type Plant, type Seed } from './seed.ts';
import { type Session, type SessionOptions, withLock, withSession } from './session.ts';
import type { Agreement, Run } from './turns.ts';
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
  /** which of those that take something away may be applied */
  MIGRATE_CONTRACT: z.string().default('all').transform(agreementOf),
  /** the same as `lint --scratch` */
  MIGRATE_SCRATCH_URL: databaseUrl.optional(),
});

function agreementOf(value: string): Agreement {
  const ids = idsOf(value);
  const [first] = ids;
  return ids.length === 1 && (first === 'all' || first === 'withhold') ? first : ids;
}

function idsOf(list: string): readonly string[] {
  const ids = list.split(',').map(id => id.trim());
  return ids.filter(id => id !== '');
}

type MigrateConfig = z.output<typeof migrateConfig>;

export type CliOptions = {
  readonly args: readonly string[];
  readonly environment: Environment;
  readonly seed?: Seed;
  /** aborted on SIGTERM */
  readonly signal?: AbortSignal;
  /** told of what was done so far */
  readonly keep?: (done: Done) => void;
};

type Task = {
  readonly config: MigrateConfig;
  readonly flags: Flags;
  readonly id: string;
  readonly plant: Plant | undefined;
  readonly signal: AbortSignal | undefined;
  readonly keep: (done: Done) => void;
};

type Flags = Readonly<Record<string, string | boolean | undefined>>;

type Command = {
  /** what stands behind the name, as --help writes it */
  readonly usage: string;
  readonly help: string;
  /** with the word that stands for the value, if the flag takes one */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  /** does an id of a migration belong to it? */
  readonly takesId?: boolean;
  readonly work: (task: Task) => Promise<Finding>;
};

const COMMANDS: Readonly<Record<string, Command>> = {
  up: {
    usage: '',
    help: 'applies what is pending, oldest first, each with its history row in one transaction; with MIGRATE_CONTRACT=withhold, or ids, leaves what takes something away and is not agreed to',
    work: task => alone(task, up),
  },
  down: {
    usage: '[--to ID | --only ID,ID [--if-lossless]]',
    help: 'undoes the migration that was applied last, all that were applied after ID, or exactly these, with their down.sql; --if-lossless only when no row and no value is lost with it',
    flags: { to: 'ID', only: 'ID,ID', 'if-lossless': undefined },
    work: undone,
  },
  status: {
    usage: '',
    help: 'says what is applied and pending, and what that takes away; writes nothing; exit code 1 when something is pending',
    work: task => beside(task, status),
  },
  baseline: {
    usage: '[--to ID | --adopt]',
    help: 'records migrations, all or those up to ID, as applied where their tables are already: compares first; --adopt turns the tables of the Python service into ours before',
    flags: { to: 'ID', adopt: undefined },
    work: baselined,
  },
  resolve: {
    usage: 'ID --applied | --rolled-back',
    help: 'records that a migration is complete, or that nothing of it is left, after a failure or by hand: compares first',
    flags: { applied: undefined, 'rolled-back': undefined },
    takesId: true,
    work: resolved,
  },
  lint: {
    usage: '[--scratch URL [--only ID,ID]]',
    help: 'says what the running release could not live with: of what is pending, without DATABASE_URL of all; exit code 1 when there is something. With --scratch plays all in a database that it makes there and drops: do marks and down.sql say what is so?',
    flags: { scratch: 'URL', only: 'ID,ID' },
    work: lint,
  },
  seed: {
    usage: '[flags]',
    help: 'writes sample rows into an empty database',
    work: task => alone(task, run => seeded(run, task.plant)),
  },
};

const USAGE = `usage: migrate ${Object.entries(COMMANDS)
  .map(([name, { usage }]) => `${name} ${usage}`.trim())
  .join(' | ')} | [COMMAND] --help`;

const EXIT_CODES_HELP = `
  exit codes: 0 done, 1 a person must look, 2 the command line, the environment or a file is wrong,
  3 the database does not answer or takes no writes (try again), 4 somebody holds a lock (try again),
  143 a signal ended it, nothing is half applied (try again);
  the last line is the verdict, as JSON
`;

const line = (name: string, { usage, help }: Command) => `  ${`${name} ${usage}`.trim().padEnd(40)} ${help}\n`;

function help(name: string | undefined, seed: Seed | undefined): string {
  const flags = seed && (name === undefined || name === 'seed') ? describeFlags(seed) : '';
  const command = name === undefined ? undefined : COMMANDS[name];
  if (name !== undefined && command !== undefined)
    return `usage: migrate ${`${name} ${command.usage}`.trim()}\n\n  ${command.help}\n${flags}${EXIT_CODES_HELP}`;
  const lines = Object.entries(COMMANDS).map(([each, entry]) => line(each, entry));
  return `${USAGE}\n\n${lines.join('')}${flags}${EXIT_CODES_HELP}`;
}

const log = (message: string) => process.stdout.write(`${message}\n`);

/** Says the verdict and gives the exit code; never throws. */
export async function migrateCli(options: CliOptions): Promise<number> {
  const { args, environment, seed } = options;
  if (args.includes('--help')) {
    process.stdout.write(
      help(
        args.find(word => Object.hasOwn(COMMANDS, word)),
        seed,
      ),
    );
    return 0;
  }
  const begun = performance.now();
  const finding = await findingOf(options);
  const verdict: Verdict = { ...finding, ms: Math.round(performance.now() - begun) };
  sayVerdict(verdict, terminationLogOf(environment));
  return EXIT_CODES[verdict.result];
}

/**
 * The command of an image. SIGTERM, as when a pod is evicted, cancels the statement that runs, and the verdict says so;
 * when no answer comes within seconds the process ends all the same, and the server rolls back what was open.
 */
export function migrateMain(options: CliOptions): Promise<number> {
  const stopping = new AbortController();
  let done: Done = {};
  process.once('SIGTERM', () => {
    stopping.abort();
    setTimeout(() => {
      sayVerdict(
        { ...nothing, ...done, result: 'stopped', message: STOPPED, ms: 0 },
        terminationLogOf(options.environment),
      );
      process.exit(EXIT_CODES.stopped);
    }, STOP_MS).unref();
  });
  const keep = (more: Done) => {
    done = more;
  };
  return migrateCli({ ...options, signal: stopping.signal, keep });
}

const STOP_MS = 5_000;
const STOPPED = 'SIGTERM came; what was open is rolled back';

const terminationLogOf = (environment: Environment): string => environment['TERMINATION_LOG'] ?? '/dev/termination-log';

async function findingOf({ args, environment, seed, signal, keep = () => {} }: CliOptions): Promise<Finding> {
  try {
    const { command, ...asked } = parseCommand(args, seed);
    return await command.work({ ...asked, signal, keep, config: readConfig(migrateConfig, environment) });
  } catch (error) {
    return endOf(error, signal?.aborted === true);
  }
}

function endOf(error: unknown, isStopping: boolean): Finding {
  if (error instanceof MigrateError && !(isStopping && error.result === 'unreachable'))
    return { ...nothing, ...error.done, result: error.result, failed: error.failed, message: error.message };
  const done = error instanceof MigrateError ? error.done : {};
  if (isStopping) return { ...nothing, ...done, result: 'stopped', message: `${STOPPED}: ${describe(error)}` };
  return { ...nothing, result: error instanceof ConfigError ? 'misused' : 'failed', message: describe(error) };
}

const misused = (cause?: unknown) => new MigrateError('misused', USAGE, { cause });

/** @throws MigrateError `misused` */
function parseCommand(
  args: readonly string[],
  seed: Seed | undefined,
): Omit<Task, 'config' | 'signal' | 'keep'> & { command: Command } {
  const [name = '', ...rest] = args;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw misused();
  const isSeed = name === 'seed';
  const named = isSeed
    ? (seed?.flags ?? []).map(flag => [flag.name, 'VALUE'] as const)
    : Object.entries(command.flags ?? {});
  const { positionals, flags } = parseOrExplain(rest, named);
  if (positionals.length !== (command.takesId ? 1 : 0)) throw misused();
  const [id = ''] = positionals;
  return { command, flags, id, plant: isSeed ? seed?.prepare(flags as Readonly<Record<string, string>>) : undefined };
}

function parseOrExplain(args: readonly string[], named: readonly (readonly [string, string | undefined])[]) {
  const typeOf = (value: string | undefined) => (value === undefined ? ('boolean' as const) : ('string' as const));
  const options = Object.fromEntries(named.map(([name, value]) => [name, { type: typeOf(value) }]));
  try {
    const { positionals, values } = parseArgs({ args: [...args], allowPositionals: true, options });
    return { positionals, flags: values as Flags };
  } catch (cause) {
    throw misused(cause);
  }
}

const text = (flag: string | boolean | undefined): string | undefined => (typeof flag === 'string' ? flag : undefined);

/** @throws MigrateError `misused` for a list of none */
function listOf(flag: string | boolean | undefined): readonly string[] | undefined {
  const list = text(flag);
  const ids = list === undefined ? undefined : idsOf(list);
  if (ids?.length === 0) throw misused();
  return ids;
}

/** Beside other runs: reads only. */
const beside = (task: Task, work: (run: Run) => Promise<Finding>): Promise<Finding> =>
  onDatabase(task, (session, migrations) => begin(task, session, migrations, work));

const alone = (task: Task, work: (run: Run) => Promise<Finding>): Promise<Finding> =>
  onDatabase(task, (session, migrations, options) =>
    withLock(options, session, held => begin(task, held, migrations, work)),
  );

async function begin(
  { config, keep }: Task,
  session: Session,
  migrations: readonly Migration[],
  work: (run: Run) => Promise<Finding>,
): Promise<Finding> {
  const history = await findHistory(session.client);
  const { MIGRATE_LOCK_TIMEOUT_MS: lockTimeoutMs, MIGRATE_CONTRACT: contract } = config;
  return work({ session, history, migrations, lockTimeoutMs, contract, log, keep });
}

async function onDatabase(
  { config, signal }: Task,
  work: (session: Session, migrations: readonly Migration[], options: SessionOptions) => Promise<Finding>,
): Promise<Finding> {
  const migrations = await filesOf(config);
  if (config.DATABASE_URL === undefined) throw new MigrateError('misused', 'DATABASE_URL: is required');
  const options = sessionOf(config, config.DATABASE_URL, signal);
  return withSession(options, session => work(session, migrations, options));
}

const filesOf = (config: MigrateConfig): Promise<readonly Migration[]> => fileOf(readMigrations, config);

async function fileOf<Content>(
  read: (directory: string) => Promise<Content>,
  { MIGRATIONS_DIR }: MigrateConfig,
): Promise<Content> {
  try {
    return await read(MIGRATIONS_DIR);
  } catch (cause) {
    throw new MigrateError('misused', `MIGRATIONS_DIR: ${describe(cause)}`, { cause });
  }
}

function sessionOf(config: MigrateConfig, url: string, signal: AbortSignal | undefined): SessionOptions {
  return {
    databaseUrl: url,
    signal,
    connectTimeoutMs: config.MIGRATE_CONNECT_TIMEOUT_MS,
    statementTimeoutMs: config.MIGRATE_STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: config.MIGRATE_LOCK_TIMEOUT_MS,
    waitMs: config.MIGRATE_WAIT_MS,
  };
}

async function baselined(task: Task): Promise<Finding> {
  const { to, adopt } = task.flags;
  if (to !== undefined && adopt !== undefined) throw misused();
  const adoption = adopt === undefined ? undefined : await fileOf(readAdoption, task.config);
  return alone(task, run => baseline(run, text(to), adoption));
}

async function resolved(task: Task): Promise<Finding> {
  const { applied, 'rolled-back': rolledBack } = task.flags;
  if ((applied === undefined) === (rolledBack === undefined)) throw misused();
  return alone(task, run => resolve(run, task.id, applied === undefined ? 'rolled-back' : 'applied'));
}

async function undone(task: Task): Promise<Finding> {
  const { to, 'if-lossless': ifLossless } = task.flags;
  const scope: Scope = { to: text(to), only: listOf(task.flags['only']) };
  if (scope.only === undefined ? ifLossless !== undefined : to !== undefined) throw misused();
  return alone(task, run => down(run, scope, ifLossless !== undefined));
}

/** Looks at what is pending; without a database, at every migration. */
async function lint(task: Task): Promise<Finding> {
  const { config, flags } = task;
  const only = listOf(flags['only']);
  const scratch = scratchOf(task);
  if (scratch !== undefined) return lintedIn(task, scratch, only);
  if (only !== undefined) throw misused();
  if (config.DATABASE_URL === undefined) return lintText({ ...nothing, result: 'clean' }, await filesOf(config));
  return beside(task, async run => {
    const finding = await status(run);
    return lintText(
      finding,
      run.migrations.filter(({ id }) => finding.pending.includes(id)),
    );
  });
}

/** @throws MigrateError `misused` */
function scratchOf({ config, flags }: Task): string | undefined {
  const url = text(flags['scratch']);
  if (url === undefined) return config.MIGRATE_SCRATCH_URL;
  const parsed = databaseUrl.safeParse(url);
  return parsed.success ? url : fail(`--scratch: ${parsed.error.issues.map(({ message }) => message).join('; ')}`);
}

function fail(message: string): never {
  throw new MigrateError('misused', message);
}

async function lintedIn(task: Task, url: string, only: readonly string[] | undefined): Promise<Finding> {
  const migrations = await filesOf(task.config);
  const unknown = only?.filter(id => !migrations.some(migration => migration.id === id)) ?? [];
  if (unknown.length > 0) throw new MigrateError('misused', `not migrations of this image: ${unknown.join(', ')}`);
  const options = sessionOf(task.config, url, task.signal);
  const alone = { ...task, config: { ...task.config, MIGRATE_CONTRACT: 'all' as const } };
  return withScratch(options, session => begin(alone, session, migrations, run => lintScratch(run, only)));
}

async function seeded({ session: { client } }: Run, plant: Plant | undefined): Promise<Finding> {
  if (plant === undefined) throw new MigrateError('misused', 'this image has no sample rows');
  try {
    await plant(client);
  } catch (error) {
    if (isConnectionLoss(error)) throw error;
    throw new MigrateError('failed', describe(error), { cause: error });
  }
  return { ...nothing, result: 'seeded' };
}
