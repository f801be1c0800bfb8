import { MigrateError, withDone } from './errors.ts';
import type { Migration } from './files.ts';
import type { History } from './history.ts';
import { whatIsLost } from './lossless.ts';
import { type Finding, findingOf, lookAt, refuse, refuseReadOnly, status } from './run.ts';
import { faultWithin } from './transactions.ts';
import { inTransaction, inTurns, type Run } from './turns.ts';

/** What to undo: what was applied last, all that was applied after one, or exactly these. */
export type Scope = { readonly to?: string | undefined; readonly only?: readonly string[] | undefined };

type Step = { readonly id: string; readonly sql: string };

const CLEAN: readonly string[] = ['up to date', 'expanded', 'pending'];

/**
 * Undoes applied migrations, the one applied last first, in one transaction each. Where nothing may be lost with it, in
 * one transaction for all: they are undone together, or not at all.
 * @throws MigrateError `refused` before any SQL when a down.sql is missing, an id was never applied, or rows would go
 */
export async function down(run: Run, scope: Scope, isLossless = false): Promise<Finding> {
  const { session, history, migrations } = run;
  const recorded = await history.read();
  const before = findingOf(await lookAt(run, recorded));
  if (!CLEAN.includes(before.result)) return before;
  const plan = wantedOf(recorded, scope).map(id => ({ id, sql: downOf(migrations, id) }));
  refuse(plan.map(({ id, sql }) => faultWithin(`${id}/down.sql`, sql)));
  if (plan.length > 0) await refuseReadOnly(session);
  await (isLossless ? revertTogether(run, plan) : revertEach(run, plan));
  await session.reset();
  return { ...(await status(run)), result: 'reverted', reverted: plan.map(({ id }) => id) };
}

/** Applied last first. Of `only`, what is undone already is done. */
function wantedOf({ rows, everApplied }: History, { to, only }: Scope): readonly string[] {
  const lastFirst = rows.map(row => row.migration_name).toReversed();
  if (only !== undefined) {
    const unknown = only.filter(id => !everApplied.has(id));
    if (unknown.length > 0)
      throw new MigrateError('refused', `never applied here: ${unknown.join(', ')}; nothing was undone`);
    return lastFirst.filter(id => only.includes(id));
  }
  if (to === undefined) return lastFirst.slice(0, 1);
  if (!lastFirst.includes(to)) throw new MigrateError('refused', `${to} is not applied here`);
  return lastFirst.slice(0, lastFirst.indexOf(to));
}

function downOf(migrations: readonly Migration[], id: string): string {
  const sql = migrations.find(migration => migration.id === id)?.down;
  if (sql === undefined) throw new MigrateError('refused', `${id} has no down.sql in this image: nothing was undone`);
  return sql;
}

async function revertEach(run: Run, plan: readonly Step[]): Promise<void> {
  for (const [index, { id, sql }] of plan.entries()) {
    run.log(`reverting ${id}`);
    await run.session.reset();
    await inTransaction(run, id, sql, () => run.history.recordRolledBack(id)).catch(error => {
      throw withDone(error, { reverted: plan.slice(0, index).map(step => step.id) });
    });
    run.keep({ reverted: plan.slice(0, index + 1).map(step => step.id) });
  }
}

async function revertTogether(run: Run, plan: readonly Step[]): Promise<void> {
  const ids = plan.map(({ id }) => id).join(',');
  const sql = plan.map(step => step.sql).join('\n');
  if (plan.length === 0) return;
  await run.session.reset();
  await inTurns(run, ids, sql, async () => {
    const lost = await whatIsLost(run, plan);
    if (lost.length > 0) throw refusal(ids, lost);
    for (const { id, sql } of plan) {
      run.log(`reverting ${id}, with which nothing is lost`);
      await run.session.client.query(sql);
      await run.session.client.query('RESET SESSION AUTHORIZATION; RESET ROLE');
      await run.history.recordRolledBack(id);
    }
  });
}

const refusal = (ids: string, lost: readonly string[]): MigrateError =>
  new MigrateError(
    'refused',
    `nothing was undone; would be lost: ${lost.join(', ')}. \`migrate down --only ${ids}\` undoes it all the same`,
    { done: { lost } },
  );
