// DevShelf runbook, "deploy seguro de DB", step 2: the schema moves in a Job before the image changes.
// Only the database can say that it moved: a Job may exit 0 having done nothing.
//   a. an older Job ends first (or is removed, if its pod never started)
//   b. one migration at a time per database, across resources
//   c. the Job's own verdict, written down with the release, also where a newer spec has come meanwhile: it is not asked
//      again, but for a release that was left since
//   d. what takes something away waits (contraction), unless the release cannot do without it (fence)
import { isShownMigration, shownMigration } from '../../api/words.ts';
import { ANNOTATIONS } from '../../objects/names.ts';
import { type Action, about, type Decision, type Stage } from '../decision.ts';
import { type RefusalReason, refused } from '../release/refusal.ts';
import { bracketed, wordsForRequest } from '../requested.ts';
import {
  hasNewRelease,
  inPhase,
  iso,
  type JobVerdict,
  type JobView,
  type MigrationResult,
  type Revision,
  revisionOf,
  type Snapshot,
  versionIn,
  wantedHash,
} from '../snapshot.ts';
import { backupOf, isBackupFor } from './backup.ts';
import { behind } from './behind.ts';
import { goneFor } from './fence.ts';
import { endOf, type JobEnd, removal } from './job-end.ts';
import { olderFirst } from './older.ts';
import { isStatusOf, pending } from './pending.ts';
import {
  changedAt,
  everContracted,
  isDone,
  isOutdated,
  listed,
  named,
  outdatedAt,
  resultFrom,
  resultOf,
  waiting,
} from './result.ts';
import { heldBySharers } from './sharers.ts';

const { act, fail, proceed, wait } = about('Migrated');

export const migration: Stage = seen => {
  const { policy } = seen.app.spec.migrations;
  if (policy === 'Disabled') return proceed('MigrationsDisabled', 'spec.migrations.policy is Disabled');
  if (!seen.wanted.known || !hasNewRelease(seen)) return unwritten(seen) ?? serving(seen);
  const { release } = seen.wanted.value;
  const revision = revisionOf(seen, release.hash);
  const id = release.migrationId;
  if (!revision || id === undefined) return wait('Starting', 'the release is being written down', 1_000);
  return older(seen, id) ?? unwritten(seen, id) ?? remembered(seen, revision, id) ?? run(seen, revision, id);
};

/** The release that serves was migrated before it; something may still wait for it to be stable. */
function serving(seen: Snapshot): Decision {
  const revision = revisionOf(seen, seen.deployment?.record.release);
  const words = revision && withheldWords(seen, resultOf(seen, revision));
  return words === undefined
    ? proceed('UpToDate', `the release that serves was migrated before it${fenceWords(seen)}`)
    : proceed('ContractWithheld', `${words}${fenceWords(seen)}`);
}

/** Until it is released, whoever watches it is told what a way back would miss. */
function fenceWords(seen: Snapshot): string {
  const { stable } = seen.deployment?.record ?? {};
  const isWatched = inPhase(seen, 'Candidate', 'Promoting', 'Baking') && stable !== undefined;
  const gone = isWatched ? goneFor(seen, stable) : undefined;
  return gone === undefined ? '' : `; behind the fence: ${gone} ${versionIn(seen, stable ?? '')} was migrated`;
}

const older = (seen: Snapshot, id: string): Decision | undefined =>
  olderFirst(
    seen,
    job => job.migrationId === id || isBackupFor(job, wantedHash(seen)) || isStatusOf(job, wantedHash(seen)),
  );

/**
 * What a Job did for a release that a newer spec has replaced meanwhile: nobody asks for its verdict any more, and what it
 * took away is gone all the same.
 */
function unwritten(seen: Snapshot, id?: string): Decision | undefined {
  for (const job of seen.jobs) {
    const { state, task, migrationId, release, name } = job;
    const revision = revisionOf(seen, release);
    if (task !== undefined || migrationId === id || !revision) continue;
    if ((state.kind !== 'succeeded' && state.kind !== 'failed') || !state.verdict) continue;
    const before = unfinished(revision, job);
    if (revision.migration && !before) continue;
    const { verdict, endedAt } = state;
    const done = isDone(verdict)
      ? JSON.stringify(resultFrom(job, job.database ?? '', endedAt, verdict, before))
      : partial(seen, revision, job, endedAt, verdict);
    if (done === undefined) continue;
    const message = `Job ${name} of an earlier spec is done: what it did is written down`;
    return act('Verifying', message, write(revision, { [ANNOTATIONS.migration]: done }));
  }
  return undefined;
}

/** Same image, command and database: the verdict of any release with this id holds, while nothing can have undone it. */
function remembered(seen: Snapshot, revision: Revision, id: string): Decision | undefined {
  const isKnown = (one: Revision): boolean =>
    one.migration?.id === id &&
    one.migration.result !== 'Partial' &&
    Date.parse(one.migration.finishedAt) >= changedAt(seen) &&
    !isOutdated(seen, one);
  const known = isKnown(revision) ? revision : seen.revisions.find(isKnown);
  if (!known?.migration) return undefined;
  return behind(seen, revision, known.migration) ?? told(seen, revision, known, known.migration);
}

function told(seen: Snapshot, revision: Revision, known: Revision, result: MigrationResult): Decision {
  if (result.result === 'ExitCodeOnly')
    return proceed('ExitCodeOnly', 'the command exited with 0; it gives no verdict of its own');
  if (result.result === 'Verified') return proceed('Verified', 'the verifyCommand found the schema where it should be');
  const withheld = withheldWords(seen, result);
  if (withheld !== undefined) return proceed('ContractWithheld', withheld);
  if (known !== revision) return proceed('UpToDate', `the schema was brought up to date with ${known.name}`);
  const { applied, more = {} } = result;
  const count = applied.length + (more.applied ?? 0);
  const words = count > 0 ? `${count} applied: ${listed(applied, more.applied)}` : 'nothing was pending';
  return proceed('UpToDate', result.withheld ? words : `${words}${cannotTell(seen)}`);
}

/** An image whose runner is from before applies everything, and does not say what it took away. */
const cannotTell = (seen: Snapshot): string =>
  seen.app.spec.migrations.contract.allow.length > 0
    ? '; whether it took something away cannot be told: the image’s runner is too old for spec.migrations.contract'
    : '';

function withheldWords(seen: Snapshot, result: MigrationResult | undefined): string | undefined {
  const { agreed, others } = waiting(seen, result);
  const unnamed = result?.more?.withheld ?? 0;
  const count = others.length + unnamed;
  const unshown = others.some(({ id }) => !isShownMigration(id))
    ? '; a name that is not shown is in the Job’s log'
    : '';
  const parts = [
    ...(count > 0
      ? [
          `${count} ${count === 1 ? 'migration waits' : 'migrations wait'} for agreement: ${named(others, unnamed)}: add ${count === 1 ? 'it' : 'them'} to spec.migrations.contract.allow${unshown}`,
        ]
      : []),
    ...(agreed.length > 0 ? [`agreed to, applied after the bake: ${named(agreed)}`] : []),
  ];
  return parts.length > 0 ? parts.join('; ') : undefined;
}

function run(seen: Snapshot, revision: Revision, id: string): Decision {
  const job = seen.jobs.find(({ migrationId }) => migrationId === id);
  if (!job) return begin(seen, revision, id);
  const end = endOf(seen, job, isOurCommand(seen));
  if ('endedAt' in end && (end.endedAt < changedAt(seen) || end.endedAt <= outdatedAt(seen, id)))
    return act('Verifying', `the schema may have changed since Job ${job.name}: it is asked again`, removal(job));
  return answers[end.means](seen, revision, job, end as never);
}

type Answer<Means extends JobEnd['means']> = (
  seen: Snapshot,
  revision: Revision,
  job: JobView,
  end: Extract<JobEnd, { means: Means }>,
) => Decision;

const answers: { [Means in JobEnd['means']]: Answer<Means> } = {
  wait: (_seen, _revision, _job, { reason, message, recheckMs }) => wait(reason, message, recheckMs),
  stuck: (_seen, _revision, _job, { message }) =>
    fail('PodCannotStart', `${message}; mend the spec, or what is missing, and it goes on by itself`),
  again: (seen, revision, job, { reason, message, waitMs, endedAt, verdict }) => {
    const done = partial(seen, revision, job, endedAt, verdict);
    if (done) return act(reason, message, write(revision, { [ANNOTATIONS.migration]: done }));
    return waitMs > 0 ? wait(reason, message, waitMs) : act(reason, message, removal(job));
  },
  refused: (seen, _revision, job, { message }) => {
    if (isOfOther(seen, job)) return act('DatabaseRefused', 'the Secret has changed: asked again', removal(job));
    const words = `${message}; mend the database’s Secret or the server, then change the Secret, or delete Job ${job.name} to ask again`;
    return fail('DatabaseRefused', words);
  },
  failed: (seen, revision, job, { reason, message, endedAt, verdict }) => {
    const done = partial(seen, revision, job, endedAt, verdict);
    if (isOfOther(seen, job)) {
      const asked = `Job ${job.name} failed for another release: asked again`;
      return act('Verifying', asked, done ? write(revision, { [ANNOTATIONS.migration]: done }) : removal(job));
    }
    const word = isUnverified(seen, job) ? 'FalseSuccess' : reason;
    return reject(seen, revision, word, message, done === undefined ? {} : { [ANNOTATIONS.migration]: done });
  },
  said,
};

/** Same image, command and database; but the Secret or the environment is another one, and may be what was mended. */
const isOfOther = (seen: Snapshot, { release }: JobView): boolean =>
  seen.wanted.known && release !== seen.wanted.value.release.hash;

function begin(seen: Snapshot, revision: Revision, id: string): Decision {
  if (seen.app.spec.migrations.policy === 'Manual' && seen.app.metadata.annotations[ANNOTATIONS.migrate] !== id)
    return pending(seen, revision, id);
  if (seen.databaseBusyWith !== undefined) {
    return wait('QueuedBehind', `Job ${seen.databaseBusyWith} migrates the same database`, 5_000);
  }
  const ids = takenBefore(seen);
  const held = heldBySharers(seen, ids) ?? backedUp(seen, revision, ids);
  if (held) return held;
  const asked = seen.app.spec.migrations.policy === 'Manual' ? wordsForRequest(seen, ANNOTATIONS.migrate) : undefined;
  return act('Starting', `the schema moves before ${revision.release.image} starts${bracketed(asked)}`, {
    do: 'createMigrationJob',
    release: revision.release,
    migrationId: id,
  });
}

/** What the release’s own Job takes away, as far as the spec tells. What is gone already needs nobody’s word. */
function takenBefore(seen: Snapshot): readonly string[] {
  const { allow, when } = seen.app.spec.migrations.contract;
  const gone = everContracted(seen);
  return when === 'BeforeRollout' ? allow.filter(name => !gone.has(shownMigration(name))) : [];
}

function backedUp(seen: Snapshot, revision: Revision, ids: readonly string[]): Decision | undefined {
  if (ids.length === 0) return undefined;
  const backup = backupOf(seen, revision, ids);
  if (backup.is === 'failed') return reject(seen, revision, 'BackupFailed', backup.message);
  return backup.is === 'on its way' ? backup.decision : undefined;
}

function said(
  seen: Snapshot,
  revision: Revision,
  job: JobView,
  { verdict, endedAt }: Extract<JobEnd, { means: 'said' }>,
): Decision {
  if (!verdict && isOurCommand(seen))
    return reject(
      seen,
      revision,
      'FalseSuccess',
      `Job ${job.name} exited with 0 but gave no verdict: is ${revision.release.image} the right image?`,
    );
  if (verdict && !isDone(verdict))
    return reject(
      seen,
      revision,
      'FalseSuccess',
      `Job ${job.name} exited with 0 but says "${verdict.result}", ${verdict.pending.length} pending`,
    );
  const all = verdict && withLost(seen, verdict);
  const found = resultFrom(job, databaseOf(seen), endedAt, all, unfinished(revision, job));
  const isVerified = !verdict && seen.app.spec.migrations.verifyCommand !== undefined;
  const phaseSince = seen.deployment?.record.since;
  const result: MigrationResult = {
    ...withGone(found, revision),
    ...(isVerified && { result: 'Verified' }),
    ...(phaseSince !== undefined && { phaseSince }),
  };
  return act(
    'Verifying',
    `Job ${job.name} is done`,
    write(revision, { [ANNOTATIONS.migration]: JSON.stringify(result) }),
  );
}

/**
 * A Job before may have taken away what was agreed to and have lost its verdict: this one finds it applied, and says
 * nothing of it. What is agreed to, is not left and was not taken away by another release counts as taken away.
 */
function withLost(seen: Snapshot, verdict: JobVerdict): JobVerdict {
  const { allow, when } = seen.app.spec.migrations.contract;
  const { contracted, withheld, pending: left, ahead = [] } = verdict;
  if (when !== 'BeforeRollout' || contracted === undefined || withheld === undefined) return verdict;
  const known = new Set([...everContracted(seen), ...withheld.map(({ id }) => id), ...left, ...ahead]);
  return {
    ...verdict,
    contracted: [...new Set([...contracted, ...allow.map(shownMigration).filter(id => !known.has(id))])],
  };
}

/**
 * What the same release took away before it was left: the Job that asks once more finds it gone, and says nothing of it.
 * What waits again has been put back by somebody.
 */
function withGone(result: MigrationResult, { migration: before }: Revision): MigrationResult {
  const { contracted = [], withheld = [] } = result;
  const known = new Set([...contracted, ...withheld.map(({ id }) => id)]);
  const gone = (before?.contracted ?? []).filter(id => !known.has(id));
  const contractedAt = result.contractedAt ?? before?.contractedAt;
  if (gone.length === 0 || contractedAt === undefined) return result;
  return { ...result, contracted: [...gone, ...contracted], contractedAt };
}

const databaseOf = ({ wanted }: Snapshot): string => (wanted.known ? wanted.value.databaseIdentity : '');

const write = ({ name }: Revision, set: Readonly<Record<string, string | null>>): Action => ({
  do: 'annotateRevision',
  revision: name,
  set,
});

/** What earlier Jobs of this migration have done. */
const unfinished = ({ migration: known }: Revision, job: JobView): MigrationResult | undefined =>
  known?.result === 'Partial' && known.id === job.migrationId ? known : undefined;

/** What a Job did before it ended otherwise; undefined when that is nothing, or is written down. */
function partial(
  seen: Snapshot,
  revision: Revision,
  job: JobView,
  endedAt: number,
  verdict: JobVerdict | undefined,
): string | undefined {
  const before = unfinished(revision, job);
  if (!verdict || verdict.applied.length === 0 || before?.finishedAt === iso(endedAt)) return undefined;
  const result = resultFrom(job, job.database ?? databaseOf(seen), endedAt, verdict, before);
  return JSON.stringify({ ...result, result: 'Partial' } satisfies MigrationResult);
}

/** The migration was done, and the command that asks for it says otherwise. */
const isUnverified = (seen: Snapshot, { state }: JobView): boolean =>
  seen.app.spec.migrations.verifyCommand !== undefined &&
  state.kind === 'failed' &&
  /exit code|OOMKilled/.test(state.detail) &&
  !state.detail.includes('init container') &&
  !state.detail.includes('DeadlineExceeded');

/** The release is refused; admission says so from now on, until the spec or the retry token changes. */
function reject(
  seen: Snapshot,
  revision: Revision,
  reason: RefusalReason,
  message: string,
  more: Readonly<Record<string, string>> = {},
): Decision {
  return refused(seen, revision, { phase: 'Migration', reason, message, more });
}

const isOurCommand = ({ app }: Snapshot): boolean => app.spec.migrations.command[0] === 'migrate';
