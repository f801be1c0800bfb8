import { randomBytes } from 'node:crypto';
import { findContract, takenBy } from './contract.ts';
import { down } from './down.ts';
import { describe, isConnectionLoss, MigrateError } from './errors.ts';
import type { Migration } from './files.ts';
import { type Inventory, takeInventory } from './inventory.ts';
import { type Judgement, judge, leftovers } from './judgement.ts';
import { markFaults } from './marks.ts';
import { type Finding, up } from './run.ts';
import { type Session, type SessionOptions, withSession } from './session.ts';
import { statementsOf } from './statements.ts';
import type { Run } from './turns.ts';
import { nothing, type Withheld } from './verdict.ts';

/** What the text and the marks say of these: `contract` when one of them takes something away. */
export function lintText(finding: Finding, migrations: readonly Migration[]): Finding {
  const withheld = migrations.flatMap(withheldOf);
  return { ...finding, withheld, result: withheld.length > 0 ? 'contract' : 'clean' };
}

function withheldOf(migration: Migration): readonly Withheld[] {
  const what = takenBy(migration);
  return what === undefined ? [] : [{ id: migration.id, what }];
}

/** A run in a database that is made for it, on the server that the URL names, and gone afterwards. */
export async function withScratch(
  options: SessionOptions,
  work: (session: Session) => Promise<Finding>,
): Promise<Finding> {
  const name = `migrate_lint_${randomBytes(6).toString('hex')}`;
  return withSession(options, async ({ client }) => {
    await client.query(`CREATE DATABASE ${name}`).catch(cause => {
      throw new MigrateError('refused', `the scratch database: ${describe(cause)}`, { cause });
    });
    try {
      return await withSession({ ...options, databaseUrl: inDatabase(options.databaseUrl, name) }, work);
    } finally {
      await client.query(`DROP DATABASE ${name}`).catch(() => undefined);
    }
  });
}

const inDatabase = (databaseUrl: string, name: string): string => {
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  return url.href;
};

/**
 * Plays all migrations in an empty database, each up, down and up again, and compares what the database says with what
 * their authors and the text search say. Judges those of `only`, or all.
 */
export async function lintScratch(run: Run, only: readonly string[] | undefined): Promise<Finding> {
  const faults: string[] = [];
  const judged = run.migrations.filter(({ id }) => only === undefined || only.includes(id));
  for (const [index, migration] of run.migrations.entries()) {
    const upToHere = { ...run, migrations: run.migrations.slice(0, index + 1) };
    const found = await lintOne(upToHere, migration, judged.includes(migration));
    faults.push(...found.map(fault => `${migration.id}: ${fault}`));
  }
  const withheld = judged.flatMap(withheldOf);
  return { ...nothing, withheld, faults, result: faults.length > 0 ? 'faulty' : 'clean' };
}

const UP: readonly string[] = ['up to date'];

async function lintOne(run: Run, migration: Migration, isJudged: boolean): Promise<readonly string[]> {
  const { client } = run.session;
  const { schema } = run.history;
  const inventory = () => takeInventory(client, schema);
  const before = await inventory();
  await moved(run);
  const after = await inventory();
  if (!isJudged) return [];
  const { takes, notes } = judge(before, after);
  for (const note of notes) run.log(`${migration.id}: note: ${note}`);
  const faults = [
    ...markFaults(migration.marks),
    ...wrongMarks(migration, { takes, notes }),
    ...missingDown(migration),
  ];
  if (migration.down === undefined) return faults;
  const back = await wayBack(run, migration.down, before);
  // what leads back is gone and comes again, as in a real rollback
  if (back.length === 0) {
    await down(run, {});
    await moved(run);
  }
  return [...faults, ...back.map(words => `down.sql ${words}`)];
}

/** What is wrong with it, tried in a transaction that is rolled back. */
async function wayBack({ session, history }: Run, sql: string, before: Inventory): Promise<readonly string[]> {
  await session.reset();
  await session.client.query('BEGIN');
  try {
    await session.client.query(sql);
    await session.client.query('RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE');
    const left = leftovers(before, await takeInventory(session.client, history.schema));
    return left.map(words => `does not lead back: ${words}`);
  } catch (error) {
    if (isConnectionLoss(error)) throw error;
    return [`does not apply: ${describe(error, sql)}`];
  } finally {
    await session.client.query('ROLLBACK');
    await session.reset();
  }
}

/** @throws MigrateError when it does not apply */
async function moved(run: Run): Promise<void> {
  const { result, message = '', failed } = await up(run);
  if (!UP.includes(result)) throw new MigrateError(result, message, { failed });
}

/** What no catalogue shows: a mark may stand for it. */
const MOVES_DATA = /^(?:UPDATE|DELETE|TRUNCATE|INSERT|MERGE|WITH|SELECT|CALL|DO|COPY|EXECUTE)\b/;

function wrongMarks({ sql, marks }: Migration, { takes, notes }: Judgement): readonly string[] {
  const what = takes.join('; ');
  const said = findContract(sql);
  if (marks.has('contract')) {
    const movesData = statementsOf(sql).some(({ words }) => MOVES_DATA.test(words.join(' ')));
    return takes.length > 0 || notes.length > 0 || movesData
      ? []
      : ['is marked devshelf:contract and takes nothing away'];
  }
  if (marks.has('expand')) return takes.length > 0 ? [`is marked devshelf:expand and ${what}`] : [];
  if (takes.length > 0)
    return said.length > 0 ? [] : [`${what}, which its text does not show: begin it with "-- devshelf:contract <why>"`];
  const seeming = said.filter(({ isData }) => !isData).map(taken => taken.what);
  if (seeming.length === 0) return [];
  return [`reads as if it ${seeming.join('; ')}, and does not: begin it with "-- devshelf:expand <why>"`];
}

function missingDown({ down: sql, marks }: Migration): readonly string[] {
  if (sql === undefined && !marks.has('irreversible'))
    return ['has no down.sql: write one, or begin it with "-- devshelf:irreversible <why>"'];
  return sql !== undefined && marks.has('irreversible') ? ['is marked devshelf:irreversible and has a down.sql'] : [];
}
