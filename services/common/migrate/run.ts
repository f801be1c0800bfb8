import { takenBy } from './contract.ts';
import { MigrateError, withDone } from './errors.ts';
import type { Migration } from './files.ts';
import { type Comparison, compare, type History } from './history.ts';
import { type InvalidIndex, indexesMadeBy, readInvalidIndexes, tablesInTheWay } from './indexes.ts';
import type { Session } from './session.ts';
import { applyInSteps } from './steps.ts';
import { transactionFault } from './transactions.ts';
import { inTransaction, type Run, refuseWhenStopping } from './turns.ts';
import { nothing, type Result, type Verdict, type Withheld } from './verdict.ts';

/** A verdict before its clock was read. */
export type Finding = Omit<Verdict, 'ms'>;

type State = Comparison & {
  /** tables that pending migrations would make, in a database without history */
  readonly inTheWay: readonly string[];
  readonly invalid: readonly InvalidIndex[];
  /** those of the invalid ones that applied migrations of this image made */
  readonly broken: readonly string[];
  /** pending ones that take something away and are not agreed to by id */
  readonly withheld: readonly Withheld[];
  /** those of them that `up` leaves: none, if it was told to apply all */
  readonly left: readonly string[];
};

/** A database to which nothing was ever applied serves nobody: nothing is taken away from anybody. */
const isUnused = ({ rows }: History): boolean => rows.every(row => row.finished_at === null);

function withheldOf({ contract }: Run, pending: readonly Migration[]): readonly Withheld[] {
  const agreed = Array.isArray(contract) ? contract : [];
  return pending.flatMap(migration => {
    const what = agreed.includes(migration.id) ? undefined : takenBy(migration);
    return what === undefined ? [] : [{ id: migration.id, what }];
  });
}

export async function lookAt(run: Run, recorded: History): Promise<State> {
  const { history, migrations } = run;
  const { client } = run.session;
  const { rows, isEmpty } = recorded;
  const found = compare(migrations, rows);
  const waiting = new Set(found.pending);
  const made = new Set(
    migrations.filter(migration => !waiting.has(migration)).flatMap(({ sql }) => indexesMadeBy(sql)),
  );
  const invalid = await readInvalidIndexes(client);
  const sql = found.pending.map(migration => migration.sql).join('\n');
  const withheld = isUnused(recorded) ? [] : withheldOf(run, found.pending);
  return {
    ...found,
    withheld,
    left: run.contract === 'all' ? [] : withheld.map(({ id }) => id),
    inTheWay: isEmpty ? await tablesInTheWay(client, history.schema, sql) : [],
    invalid,
    broken: invalid.filter(({ name }) => made.has(name)).map(({ qualified }) => qualified),
  };
}

/** The worst word wins: what a person must look at comes before what the next run would do. */
function resultOf(found: State): Result {
  if (found.failed.length > 0) return 'failed';
  if (found.interrupted.length > 0) return 'interrupted';
  if (found.edited.length > 0) return 'edited';
  if (found.renamed.length > 0) return 'renamed';
  if (found.inTheWay.length > 0) return 'baseline needed';
  if (found.broken.length > 0) return 'invalid index';
  if (found.pending.length > found.left.length) return 'pending';
  return found.left.length > 0 ? 'expanded' : 'up to date';
}

const RESOLVE =
  '`migrate resolve ID --applied` (it is complete) or `migrate resolve ID --rolled-back` (nothing of it is left: it runs again) writes down what you found.';

const namesOf = (invalid: readonly InvalidIndex[]) => invalid.map(({ qualified }) => qualified).join(', ');

/** What a person must do; what is only worth knowing comes last. */
function adviceOf(result: Result, found: State): string | undefined {
  const words: Partial<Record<Result, string>> = {
    failed: `A migration failed half-way and its history row says so (logs in "_prisma_migrations"). Repair the schema by hand, then ${RESOLVE}`,
    interrupted: `A migration began and did not end. Compare the schema with its file, then ${RESOLVE}`,
    edited: 'A migration was edited after it was applied. Restore its file and write a new migration instead.',
    renamed: `Applied under another name: ${found.renamed.map(({ from, to }) => `${to} is ${from}`).join(', ')}. Give the folder its name back, or say \`migrate resolve ID --applied\` with the new one.`,
    'baseline needed': `These tables are there and no migration is recorded: ${found.inTheWay.join(', ')}. If they are what the migrations make, \`migrate baseline\` compares and records it; tables of the Python services are taken over with \`migrate baseline --adopt\`.`,
    'invalid index': `An index that a migration made is invalid: ${found.broken.join(', ')}. Mend it with REINDEX INDEX CONCURRENTLY.`,
  };
  // what was withheld comes after what is newer
  const late = found.pending
    .filter(each => found.late.includes(each.id) && takenBy(each) === undefined)
    .map(({ id }) => id);
  const notes = [
    words[result],
    (result === 'failed' || result === 'interrupted') && found.invalid.length > 0
      ? `Invalid indexes here: ${namesOf(found.invalid)}; DROP INDEX CONCURRENTLY what the migration left.`
      : undefined,
    late.length > 0 ? `Older than what is applied: ${late.join(', ')} (merged late?).` : undefined,
  ].filter(note => note !== undefined);
  return notes.length > 0 ? notes.join(' ') : undefined;
}

export function findingOf(found: State): Finding {
  const { inTheWay: _tables, broken: _broken, left: _left, ...rest } = found;
  const result = resultOf(found);
  return {
    ...nothing,
    ...rest,
    pending: found.pending.map(({ id }) => id),
    renamed: found.renamed.map(({ to }) => to),
    invalid: found.invalid.map(({ qualified }) => qualified),
    result,
    message: adviceOf(result, found),
  };
}

/** Compares only; writes nothing, not even the history table. */
export async function status(run: Run): Promise<Finding> {
  return findingOf(await lookAt(run, await run.history.read()));
}

/**
 * Applies what is pending and agreed to, oldest first, then looks again: only the database's own word counts.
 * Each migration and its history row are one transaction, so a killed or failed run leaves nothing half done.
 * @throws MigrateError, with what was applied before
 */
export async function up(run: Run): Promise<Finding> {
  const { session, history, migrations, log } = run;
  const recorded = await history.read();
  const state = await lookAt(run, recorded);
  const before = findingOf(state);
  if (before.result !== 'pending') return before;
  const wanted = migrations.filter(({ id }) => before.pending.includes(id) && !state.left.includes(id));
  refuse(wanted.map(transactionFault));
  await refuseReadOnly(session);
  await history.create();
  const takes = (migration: Migration) => !isUnused(recorded) && takenBy(migration) !== undefined;
  const done: Migration[] = [];
  const found = () => ({
    applied: idsOf(done),
    contracted: idsOf(done.filter(takes)),
    irreversible: idsOf(done.filter(({ down }) => down === undefined)),
    withheld: before.withheld.filter(({ id }) => state.left.includes(id)),
  });
  for (const migration of wanted) {
    log(`applying ${migration.id}${before.late.includes(migration.id) ? ', older than what is applied' : ''}`);
    await apply(run, migration).catch(error => {
      throw withDone(error, { ...found(), ahead: before.ahead }, needed(found().withheld));
    });
    done.push(migration);
    run.keep(found());
  }
  await session.reset();
  const after = await status(run);
  const late = before.late.filter(id => idsOf(wanted).includes(id));
  return { ...after, ...found(), late, message: after.message ?? lateMessage(before, late) };
}

/** What failed may need what was left out, as after a rename. */
const needed = (withheld: readonly Withheld[]): string =>
  withheld.length > 0 ? `; withheld: ${withheld.map(({ id, what }) => `${id} (${what})`).join(', ')}` : '';

const idsOf = (migrations: readonly Migration[]): readonly string[] => migrations.map(({ id }) => id);

const lateMessage = (before: Finding, late: readonly string[]) => (late.length > 0 ? before.message : undefined);

async function apply(run: Run, migration: Migration): Promise<void> {
  refuseWhenStopping(run, migration.id);
  await run.session.reset();
  await (migration.inTransaction
    ? inTransaction(run, migration.id, migration.sql, () => run.history.recordApplied(migration, 1))
    : applyInSteps(run, migration));
}

/** @throws MigrateError `misused` for the first of these faults */
export function refuse(faults: readonly (string | undefined)[]): void {
  const fault = faults.find(found => found !== undefined);
  if (fault !== undefined) throw new MigrateError('misused', fault);
}

/** @throws MigrateError `readonly` on a standby, or where the server or the role is set so */
export async function refuseReadOnly({ client }: Session): Promise<void> {
  const { rows } = await client.query<{ standby: boolean; setting: string }>(
    "SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') AS setting",
  );
  if (rows[0]?.standby) throw new MigrateError('readonly', 'the database is a standby: it takes no writes');
  if (rows[0]?.setting === 'on') throw new MigrateError('readonly', 'the database is read-only: it takes no writes');
}
