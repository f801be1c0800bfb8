// Runbook, "deploy seguro de DB", step 4: after a rollback, the schema goes back too, where spec.migrations.downOnRollback
// is IfSafe. The image is back first, and no pod of the rejected release is left. What would be lost is counted by the
// Job itself, under a lock: with the first row that would go it refuses, and the schema stays. It serves both releases.
import type { Condition } from '../../api/conditions.ts';
import { isShownMigration } from '../../api/words.ts';
import { ANNOTATIONS } from '../../objects/names.ts';
import { type Action, about, type Decision, type Interrupt } from '../decision.ts';
import {
  type Downgrade,
  inPhase,
  iso,
  isReleaseComing,
  type JobView,
  type MigrationResult,
  type Revision,
  revisionOf,
  type Snapshot,
  taskText,
  versionOf,
} from '../snapshot.ts';
import { endOf, removal } from './job-end.ts';
import { olderFirst } from './older.ts';
import { listed, resultOf } from './result.ts';

const { act, wait } = about('Migrated');

export const downgrade: Interrupt = seen => {
  const { policy, downOnRollback } = seen.app.spec.migrations;
  if (downOnRollback !== 'IfSafe' || policy === 'Disabled' || !inPhase(seen, 'Settled')) return undefined;
  const revision = lastRejected(seen);
  const result = revision?.migration;
  if (!revision || !result || !seen.wanted.known) return undefined;
  const text = taskText({ direction: 'down', ids: result.applied });
  const job = seen.jobs.find(({ task, release }) => task === text && release === revision.release.hash);
  if (job) return ended(seen, revision, result, job);
  if (isReleaseComing(seen) || seen.app.spec.paused) return undefined;
  const why = keptFor(seen, revision, result);
  return why === undefined ? begin(seen, revision, result) : keep(seen, revision, result, why);
};

/** The one whose migrations are the newest, and of which it is not decided yet. */
function lastRejected({ revisions, deployment }: Snapshot): Revision | undefined {
  const rejected = revisions.filter(
    ({ verdict, migration, downgrade: decided, release }) =>
      verdict.verdict === 'rejected' &&
      release.hash !== deployment?.record.release &&
      !decided &&
      (migration?.applied.length ?? 0) > 0,
  );
  return rejected.sort((a, b) => endOfJob(a) - endOfJob(b)).at(-1);
}

/** Around the stages: what is left in the schema of the release that was rejected last, until another one moves it. */
export function schemaReverted({ revisions }: Snapshot): Condition | undefined {
  const moved = revisions.filter(({ migration }) => (migration?.applied.length ?? 0) > 0);
  const last = moved.sort((a, b) => endOfJob(a) - endOfJob(b)).at(-1);
  const { migration, downgrade: decided, verdict } = last ?? {};
  if (!last || !migration || !decided || verdict?.verdict !== 'rejected') return undefined;
  const { result, reverted: ids = [], why = '' } = decided;
  return result === 'Reverted'
    ? { type: 'SchemaReverted', status: 'True', reason: 'SchemaReverted', message: undoneWords(ids) }
    : { type: 'SchemaReverted', status: 'False', reason: 'SchemaKept', message: keptWords(last, migration, why) };
}

const endOfJob = ({ migration }: Revision): number => Date.parse(migration?.finishedAt ?? '') || 0;

function keptFor(seen: Snapshot, revision: Revision, result: MigrationResult): string | undefined {
  const { applied, irreversible = [], contracted = [], database, more = {} } = result;
  const unnamed = (more.applied ?? 0) + applied.filter(id => !isShownMigration(id)).length;
  const later = seen.revisions.find(
    other => other !== revision && (other.migration?.applied.length ?? 0) > 0 && endOfJob(other) > endOfJob(revision),
  );
  const [sharer] = seen.databaseSharedWith ?? [];
  if (result.withheld === undefined) return 'its runner is too old to undo just what it applied';
  if (unnamed > 0)
    return `it applied ${applied.length + (more.applied ?? 0)} migrations, and ${unnamed} of them are not known by name here: the Job’s log has them`;
  if (irreversible.length > 0)
    return `${listed(irreversible, more.irreversible)} cannot be undone: there is no down.sql`;
  if (contracted.length > 0)
    return `${listed(contracted, more.contracted)} took something away, which no down.sql brings back`;
  if (later) return `${later.name} was migrated since`;
  const serving = servesOn(seen, result);
  if (serving) return `${serving.name} serves on it`;
  if (!seen.wanted.known || database !== seen.wanted.value.databaseIdentity)
    return 'the spec names another database by now';
  if (sharer) return `${sharer.name} uses the same database`;
  return undefined;
}

/** The release that serves, unless the database said that its image does not know of these migrations. */
function servesOn(seen: Snapshot, { id, applied, finishedAt }: MigrationResult): Revision | undefined {
  const serving = revisionOf(seen, seen.deployment?.record.release);
  const told = serving && resultOf(seen, serving);
  if (!serving || !told) return undefined;
  if (serving.release.migrationId === id) return serving;
  const isUnknownToIt = applied.every(one => told.ahead?.includes(one));
  return Date.parse(told.finishedAt) >= Date.parse(finishedAt) && !isUnknownToIt ? serving : undefined;
}

function begin(seen: Snapshot, revision: Revision, { applied }: MigrationResult): Decision | undefined {
  const { hash, image } = revision.release;
  const isOfIt = (pod: { readonly release: string; readonly ended?: unknown }): boolean =>
    pod.release === hash && pod.ended === undefined;
  // a rehearsal pod is removed by a stage, which this must not keep from its turn
  if (seen.rehearsals.some(pod => isOfIt(pod) && !pod.deleting)) return undefined;
  const left = [...seen.pods, ...seen.workers, ...seen.rehearsals].filter(isOfIt).length;
  if (left > 0) return wait('SchemaReverting', `${left} pods of ${versionOf(image)} have to go first`, 2_000);
  const older = olderFirst(seen);
  if (older) return older;
  if (seen.databaseBusyWith !== undefined)
    return wait('QueuedBehind', `Job ${seen.databaseBusyWith} migrates the same database`, 5_000);
  return act(
    'SchemaReverting',
    `what ${versionOf(image)} did to the schema is undone, if nothing is lost by that: ${listed(applied)}`,
    { do: 'createSchemaJob', release: revision.release, task: { direction: 'down', ids: applied } },
    'Normal',
  );
}

function ended(seen: Snapshot, revision: Revision, result: MigrationResult, job: JobView): Decision {
  const end = endOf(seen, job, true);
  if ('endedAt' in end && end.endedAt < Date.parse(revision.verdict.at))
    return act('SchemaReverting', `Job ${job.name} of an earlier try is cleared`, removal(job));
  switch (end.means) {
    case 'wait':
      return wait('SchemaReverting', end.message, end.recheckMs);
    case 'again':
      return end.waitMs > 0
        ? wait('SchemaReverting', end.message, end.waitMs)
        : act('SchemaReverting', end.message, removal(job));
    case 'said':
      return end.verdict?.result === 'reverted'
        ? reverted(revision, result, end.endedAt)
        : keep(seen, revision, result, `Job ${job.name} gave no verdict that it is undone`);
    case 'stuck':
    case 'refused':
    case 'failed':
      return keep(seen, revision, result, lossIn(job) ?? end.message);
  }
}

/** In the words of the database: "table pedidos_nota: 1204 rows". */
function lossIn({ state }: JobView): string | undefined {
  const { lost = [] } = (state.kind === 'failed' && state.verdict) || {};
  return lost.length > 0 ? `${lost.join(', ')} would be lost` : undefined;
}

const undoneWords = (ids: readonly string[]): string => `nothing was lost; undone: ${listed(ids)}`;

function reverted(revision: Revision, { applied }: MigrationResult, endedAt: number): Decision {
  const message = undoneWords(applied);
  const written: Downgrade = { result: 'Reverted', reverted: applied, at: iso(endedAt) };
  return act('SchemaReverted', message, annotation(revision, written), 'Normal');
}

const keptWords = ({ release }: Revision, { applied, more = {} }: MigrationResult, why: string): string => {
  const isWhole = more.applied === undefined && applied.every(isShownMigration);
  const list = isWhole ? applied.join(',') : 'NAMES';
  return `the schema of ${versionOf(release.image)} stays: ${why}; by hand, with that image: migrate down --only ${list}`;
};

function keep(seen: Snapshot, revision: Revision, result: MigrationResult, why: string): Decision {
  return act(
    'SchemaKept',
    keptWords(revision, result, why),
    annotation(revision, { result: 'Kept', why, at: iso(seen.now) }),
    'Warning',
  );
}

const annotation = ({ name }: Revision, written: Downgrade): Action => ({
  do: 'annotateRevision',
  revision: name,
  set: { [ANNOTATIONS.downgrade]: JSON.stringify(written) },
});
