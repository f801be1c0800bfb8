// DevShelf runbook, "deploy seguro de DB", step 2: the schema moves in a Job before the image changes.
// Only the database can say that it moved: a Job may exit 0 having done nothing.
//   a. an older Job ends first (or is removed, if its pod never started)
//   b. one migration at a time per database, across resources
//   c. the Job's own verdict, written down with the release: a finished Job is never run again
import type { Reason } from '../api/reasons.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import { about, type Decision, type Stage } from './decision.ts';
import {
  hasNewRelease,
  iso,
  type JobView,
  type Revision,
  revisionOf,
  type Snapshot,
  START_GRACE_MS,
} from './snapshot.ts';
import { verdictAnnotations } from './verdict.ts';

const { act, fail, proceed, wait } = about('Migrated');

/** A database that does not answer is asked again this long after the last attempt ended. */
const RETRY_MS = 15_000;
/** By then the watch of pods has caught up with the one of Jobs, or the pod is gone. */
const POD_LAG_MS = 10_000;
/** What `migrate` of the services says when nothing is left to do. */
const UP_TO_DATE = 'up to date';
/** What passes by itself: the database is down, or somebody holds its lock. */
const PASSING = ['unreachable', 'locked'];

export const migration: Stage = seen => {
  const { policy } = seen.app.spec.migrations;
  if (policy === 'Disabled') return proceed('MigrationsDisabled', 'spec.migrations.policy is Disabled');
  if (!seen.wanted.known || !hasNewRelease(seen))
    return proceed('UpToDate', 'the release that serves was migrated before it');
  const { release } = seen.wanted.value;
  const revision = revisionOf(seen, release.hash);
  const id = release.migrationId;
  if (!revision || id === undefined) return wait('Starting', 'the release is being written down', 1_000);
  return older(seen, id) ?? remembered(seen, revision, id) ?? run(seen, revision, id);
};

/** Changed specs are skipped over, a running Job is not: it ends, then the newest is planned. */
function older(seen: Snapshot, id: string): Decision | undefined {
  const other = seen.jobs.find(job => job.migrationId !== id && ['pending', 'running'].includes(job.state.kind));
  if (!other) return undefined;
  if (other.state.kind === 'running') return wait('Running', `Job ${other.name} of an earlier spec ends first`, 5_000);
  return act('Starting', `Job ${other.name} of an earlier spec never started`, {
    do: 'deleteJob',
    job: other.name,
    uid: other.uid,
  });
}

/** Same image, command and database: the verdict of any release with this id holds. */
function remembered(seen: Snapshot, revision: Revision, id: string): Decision | undefined {
  const known = seen.revisions.find(({ migration }) => migration?.id === id);
  if (!known?.migration) return undefined;
  if (known.migration.result === 'ExitCodeOnly')
    return proceed('ExitCodeOnly', 'the command exited with 0; it gives no verdict of its own');
  const applied = known.migration.applied.length;
  if (known !== revision) return proceed('UpToDate', `the schema was brought up to date with ${known.name}`);
  return proceed(
    'UpToDate',
    applied > 0 ? `${applied} applied: ${known.migration.applied.join(', ')}` : 'nothing was pending',
  );
}

function run(seen: Snapshot, revision: Revision, id: string): Decision {
  const job = seen.jobs.find(({ migrationId }) => migrationId === id);
  if (!job) return begin(seen, revision, id);
  const { state } = job;
  switch (state.kind) {
    case 'pending':
      if (seen.now - job.createdAt < START_GRACE_MS) return wait('PodStarting', state.detail, 5_000);
      return cannotStart(job, state.detail);
    case 'running':
      return wait('Running', `Job ${job.name} runs`, 5_000);
    case 'succeeded':
      return succeeded(seen, revision, job);
    case 'failed':
      return failed(seen, revision, job);
  }
}

function begin(seen: Snapshot, revision: Revision, id: string): Decision {
  if (seen.app.spec.migrations.policy === 'Manual' && seen.app.metadata.annotations[ANNOTATIONS.migrate] !== id) {
    return fail(
      'MigrationPending',
      `the policy is Manual: annotate the resource with ${ANNOTATIONS.migrate}=${id} to let the Job run`,
    );
  }
  if (seen.databaseBusyWith !== undefined) {
    return wait('QueuedBehind', `Job ${seen.databaseBusyWith} migrates the same database`, 5_000);
  }
  return act('Starting', `the schema moves before ${revision.release.image} starts`, {
    do: 'createMigrationJob',
    release: revision.release,
    migrationId: id,
  });
}

const cannotStart = (job: JobView, detail: string): Decision =>
  fail(
    'PodCannotStart',
    `the pod of Job ${job.name} does not start: ${detail}; mend the spec, or what is missing, and it goes on by itself`,
  );

function succeeded(seen: Snapshot, revision: Revision, job: JobView): Decision {
  if (job.state.kind !== 'succeeded') return run(seen, revision, job.migrationId);
  const { verdict, endedAt, podRead } = job.state;
  const ours = isOurCommand(seen);
  if (!podRead && ours) return unread(seen, job, endedAt);
  if (!verdict && ours)
    return reject(
      seen,
      revision,
      'FalseSuccess',
      `Job ${job.name} exited with 0 but gave no verdict: is ${revision.release.image} the right image?`,
    );
  if (verdict && verdict.result !== UP_TO_DATE)
    return reject(
      seen,
      revision,
      'FalseSuccess',
      `Job ${job.name} exited with 0 but says "${verdict.result}", ${verdict.pending.length} pending`,
    );
  const result = {
    id: job.migrationId,
    jobName: job.name,
    result: verdict ? 'UpToDate' : 'ExitCodeOnly',
    applied: verdict?.applied ?? [],
    finishedAt: iso(endedAt),
  };
  return act('Verifying', `Job ${job.name} is done`, {
    do: 'annotateRevision',
    revision: revision.name,
    set: { [ANNOTATIONS.migration]: JSON.stringify(result) },
  });
}

/** Its last words went with its pod: asking again is harmless, `up` does only what is left to do. */
function unread(seen: Snapshot, job: JobView, endedAt: number): Decision {
  const message = `Job ${job.name} ended and the verdict of its pod was not read`;
  const left = endedAt + POD_LAG_MS - seen.now;
  if (left > 0) return wait('Verifying', message, left);
  return act('Verifying', `${message}: it is asked again`, { do: 'deleteJob', job: job.name, uid: job.uid });
}

function failed(seen: Snapshot, revision: Revision, job: JobView): Decision {
  if (job.state.kind !== 'failed') return run(seen, revision, job.migrationId);
  const { verdict, detail, started, endedAt, podRead } = job.state;
  const lag = endedAt + POD_LAG_MS - seen.now;
  if (!podRead && lag > 0) return wait('Verifying', `Job ${job.name} ended, its pod is being read`, lag);
  if (verdict && PASSING.includes(verdict.result)) {
    const again = endedAt + RETRY_MS - seen.now;
    const words = `the database does not answer (${verdict.message ?? detail}); tried again until it does`;
    if (again > 0) return wait('DatabaseUnreachable', words, again);
    return act('DatabaseUnreachable', words, { do: 'deleteJob', job: job.name, uid: job.uid });
  }
  // a pod that never ran has changed nothing: once the image or the Secret is there it may start
  if (!started) return act('PodCannotStart', detail, { do: 'deleteJob', job: job.name, uid: job.uid });
  return reject(
    seen,
    revision,
    reasonOf(verdict?.result, detail),
    `Job ${job.name} failed: ${verdict?.message ?? detail}; kubectl logs job/${job.name} has the rest`,
  );
}

function reasonOf(result: string | undefined, detail: string): Reason {
  if (result === 'interrupted') return 'MigrationInterrupted';
  if (result === 'edited') return 'MigrationEdited';
  return detail.includes('DeadlineExceeded') ? 'DeadlineExceeded' : 'JobFailed';
}

/** The release is refused; admission says so from now on, until the spec or the retry token changes. */
function reject(seen: Snapshot, revision: Revision, reason: Reason, message: string): Decision {
  const verdict = { verdict: 'rejected', reason, message, at: iso(seen.now) } as const;
  const set = verdictAnnotations(verdict, seen.app.spec.rollout.retryToken);
  return act(reason, message, { do: 'annotateRevision', revision: revision.name, set }, 'Warning');
}

const isOurCommand = ({ app }: Snapshot): boolean => app.spec.migrations.command[0] === 'migrate';
