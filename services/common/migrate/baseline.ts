import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { differences, type Entry, readCatalogue } from './catalogue.ts';
import { describe, isConnectionLoss, MigrateError } from './errors.ts';
import type { Adoption, Migration } from './files.ts';
import { type Finding, refuseReadOnly, status } from './run.ts';
import { statementsOf } from './statements.ts';
import { faultWithin } from './transactions.ts';
import type { Run } from './turns.ts';
import { nothing } from './verdict.ts';

type Catalogue = ReadonlyMap<string, Entry>;

/**
 * Records migrations, up to `to`, as applied in a database whose tables came from elsewhere, when they are what those
 * migrations make. With an adoption, older tables are turned into them first: all in one transaction, or nothing.
 * @throws MigrateError `refused` where a history is, `misused` for an unknown `to`
 */
export async function baseline(run: Run, to: string | undefined, adoption: Adoption | undefined): Promise<Finding> {
  const { session, history, migrations, log } = run;
  if (!(await history.read()).isEmpty)
    throw new MigrateError('refused', 'this database has a history: `migrate resolve` writes down single migrations');
  const wanted = upTo(migrations, adoption?.to ?? to);
  const fault = adoption && faultWithin('adopt.sql', adoption.sql);
  if (fault !== undefined) throw new MigrateError('misused', fault);
  await refuseReadOnly(session);
  await session.client.query('BEGIN');
  if (adoption !== undefined) await execute(session.client, 'adopt.sql', adoption.sql);
  const stages = await rehearse(run, wanted);
  const there = await readCatalogue(session.client, history.schema);
  const found = differences(stages.at(-1) ?? new Map(), there);
  if (found.length > 0) {
    await session.client.query('ROLLBACK');
    const fitting = wanted[stages.findLastIndex(stage => differences(stage, there).length === 0)];
    const hint =
      fitting && adoption === undefined
        ? ` It is as after ${fitting.id}: \`migrate baseline --to ${fitting.id}\`.`
        : '';
    return different(found, `nothing was recorded: the database is not what ${wanted.at(-1)?.id} leaves.${hint}`);
  }
  await history.create();
  for (const migration of wanted) await history.recordApplied(migration, 0);
  await session.client.query('COMMIT');
  for (const { id } of wanted) log(`recorded ${id} as applied`);
  return { ...(await status(run)), result: 'recorded', applied: wanted.map(({ id }) => id) };
}

/**
 * Writes down what a person found: that a migration is complete, or that nothing of it is left.
 * @throws MigrateError `refused` when the history says otherwise already, `misused` for an unknown id
 */
export async function resolve(run: Run, id: string, as: 'applied' | 'rolled-back'): Promise<Finding> {
  const { session, history, migrations, log } = run;
  const migration = migrations.find(each => each.id === id);
  if (migration === undefined) throw new MigrateError('misused', `${id} is not a migration of this image`);
  const { rows } = await history.read();
  const own = rows.filter(row => row.migration_name === id);
  if (own.some(row => row.finished_at !== null))
    throw new MigrateError('refused', `${id} is applied: \`migrate down\` undoes it`);
  if (as === 'rolled-back' && own.length === 0) throw new MigrateError('refused', `${id} never began here`);
  await refuseReadOnly(session);
  const applied = new Set(rows.filter(row => row.finished_at !== null).map(row => row.migration_name));
  const base = migrations.filter(each => applied.has(each.id));
  await session.client.query('BEGIN');
  const stages = await rehearse(run, [...base, migration]);
  await session.client.query('ROLLBACK');
  const there = await readCatalogue(session.client, history.schema);
  const [without, full] = [base.length === 0 ? new Map() : stages.at(-2), stages.at(-1)];
  const found =
    as === 'applied' ? differences(full ?? new Map(), there) : leftOf(without ?? new Map(), full ?? new Map(), there);
  if (found.length > 0)
    return different(
      found,
      `nothing was recorded: ${as === 'applied' ? `${id} is not complete` : `something of ${id} is left`}`,
    );
  await session.client.query('BEGIN');
  await history.create();
  await history.recordRolledBack(id);
  if (as === 'applied') await history.recordApplied(migration, 0);
  await session.client.query('COMMIT');
  log(`recorded ${id} as ${as}`);
  return { ...(await status(run)), result: 'recorded', applied: as === 'applied' ? [id] : [] };
}

/** What must be as before, and is not; and what only the migration makes, and is there. */
const leftOf = (before: Catalogue, after: Catalogue, there: Catalogue): readonly string[] => [
  ...differences(before, there),
  ...[...after.keys()].filter(name => !before.has(name) && there.has(name)).map(name => `${name} is there`),
];

const different = (found: readonly string[], message: string): Finding => ({
  ...nothing,
  result: 'different',
  differences: found,
  message,
});

function upTo(migrations: readonly Migration[], to: string | undefined): readonly Migration[] {
  if (to === undefined) return migrations;
  const last = migrations.findIndex(({ id }) => id === to);
  if (last < 0) throw new MigrateError('misused', `${to} is not a migration of this image`);
  return migrations.slice(0, last + 1);
}

/**
 * What each of these migrations leaves, in an empty schema of its own that is gone afterwards. Within the transaction
 * that is open; CONCURRENTLY makes the same index without waiting for others, so it is left out.
 */
async function rehearse(
  { session: { client }, history }: Run,
  migrations: readonly Migration[],
): Promise<readonly Catalogue[]> {
  const scratch = `migrate_${randomBytes(6).toString('hex')}`;
  const stages: Catalogue[] = [];
  await client.query('SAVEPOINT rehearsal');
  await execute(client, 'a schema to compare with', `CREATE SCHEMA ${scratch}`);
  for (const migration of migrations) {
    await client.query(`SET LOCAL search_path TO ${scratch}`);
    await execute(client, migration.id, withoutWaiting(migration));
    await client.query('RESET SESSION AUTHORIZATION; RESET ROLE');
    stages.push(await readCatalogue(client, scratch, [history.schema]));
  }
  await client.query('ROLLBACK TO SAVEPOINT rehearsal');
  return stages;
}

const withoutWaiting = ({ sql, inTransaction }: Migration): string =>
  inTransaction
    ? sql
    : statementsOf(sql)
        .map(statement =>
          statement.words.includes('CONCURRENTLY') ? statement.sql.replace(/\bCONCURRENTLY\b/i, '') : statement.sql,
        )
        .join(';');

/** @throws MigrateError `failed`, when the transaction is rolled back */
async function execute(client: Client, name: string, sql: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (cause) {
    if (isConnectionLoss(cause)) throw cause;
    await client.query('ROLLBACK');
    throw new MigrateError('failed', `${name}: ${describe(cause, sql)}; nothing was recorded`, {
      cause,
      failed: [name],
    });
  }
}
