// Expand and contract: what takes something away is applied when the release that can do without it is stable, and
// nobody is left to go back. Beside the stages: what becomes of old columns never decides about the release.
//   a. only what spec.migrations.contract.allow names, and every resource on the same database agrees to
//   b. nothing while a release or a key is on its way, or the resource is paused
//   c. a backup first, where one is asked for
//   d. what failed is tried again when `allow` or spec.rollout.retryToken changes
import { shownMigration } from '../../api/words.ts';
import { ANNOTATIONS } from '../../objects/names.ts';
import { type Action, about, type Decision, type Interrupt } from '../decision.ts';
import { isRotating } from '../keys/key-requests.ts';
import {
  type ContractFailure,
  hasNewRelease,
  inPhase,
  iso,
  type JobView,
  type MigrationResult,
  type Revision,
  revisionOf,
  type Snapshot,
  taskText,
} from '../snapshot.ts';
import { backupOf } from './backup.ts';
import { endOf, removal } from './job-end.ts';
import { olderFirst } from './older.ts';
import { isDone, named, resultFrom, resultOf, stillFails, waiting } from './result.ts';
import { disagreement, onItsWay } from './sharers.ts';

const { act, concede, wait } = about('Migrated');

export const contraction: Interrupt = seen => {
  const revision = revisionOf(seen, seen.deployment?.record.release);
  const result = revision && resultOf(seen, revision);
  if (!revision || !result || !isAtRest(seen, revision)) return undefined;
  const { agreed } = waiting(seen, result);
  if (agreed.length === 0) return undefined;
  const ids = agreed.map(({ name }) => name);
  const { failure } = result;
  if (stillFails(seen, failure, ids)) return concede(failure.reason, failure.message);
  return (
    notAgreed(seen, ids) ??
    onItsWay(seen, revision, ids) ??
    backedUp(seen, { revision, result, ids, what: named(agreed) })
  );
};

const isAtRest = (seen: Snapshot, { verdict }: Revision): boolean =>
  seen.wanted.known &&
  !hasNewRelease(seen) &&
  inPhase(seen, 'Settled') &&
  verdict.verdict === 'released' &&
  seen.app.spec.migrations.policy !== 'Disabled' &&
  !seen.app.spec.paused &&
  !seen.keys.some(isRotating);

function notAgreed(seen: Snapshot, ids: readonly string[]): Decision | undefined {
  const words = disagreement(seen, ids);
  return words === undefined ? undefined : concede('ContractNotAgreed', words);
}

interface Matter {
  readonly revision: Revision;
  readonly result: MigrationResult;
  readonly ids: readonly string[];
  readonly what: string;
}

function backedUp(seen: Snapshot, matter: Matter): Decision {
  const { revision, result, ids } = matter;
  const backup = backupOf(seen, revision, ids);
  if (backup.is === 'not asked for') return contract(seen, matter);
  if (backup.is === 'on its way') return backup.decision;
  const { job, endedAt } = backup;
  // whatever was written since the try before is in none that was made for it
  if (result.failure && endedAt <= Date.parse(result.failure.at))
    return act('BackingUp', `Job ${job.name} is cleared for another try`, removal(job));
  if (backup.is === 'failed') return failed(seen, revision, result, ids, backup.message, 'BackupFailed');
  return contract(seen, { ...matter, result: { ...result, backup: job.name } });
}

function contract(seen: Snapshot, matter: Matter): Decision {
  const { revision, result, ids, what } = matter;
  const text = taskText({ direction: 'contract', ids });
  const job = seen.jobs.find(({ task, release }) => task === text && release === revision.release.hash);
  if (!job) {
    const older = olderFirst(seen);
    if (older) return older;
    if (seen.databaseBusyWith !== undefined)
      return wait('QueuedBehind', `Job ${seen.databaseBusyWith} migrates the same database`, 5_000);
    return act(
      'Contracting',
      `the release is stable: ${what}`,
      { do: 'createSchemaJob', release: revision.release, task: { direction: 'contract', ids } },
      'Normal',
    );
  }
  const end = endOf(seen, job, true);
  // tried before: what was said of that is written down
  if ('endedAt' in end && result.failure && end.endedAt <= Date.parse(result.failure.at))
    return act('Contracting', `Job ${job.name} is cleared for another try`, removal(job));
  switch (end.means) {
    case 'wait':
      return wait('Contracting', end.message, end.recheckMs);
    case 'stuck':
      return concede('PodCannotStart', `${end.message}; mend what is missing and it goes on by itself`);
    case 'again':
      if (end.verdict && (end.verdict.contracted ?? []).length > 0 && !isKnown(result, end.verdict.contracted))
        return write(revision, 'Contracting', end.message, after(seen, job, result, end));
      return end.waitMs > 0 ? wait(end.reason, end.message, end.waitMs) : act(end.reason, end.message, removal(job));
    case 'said':
      return done(seen, matter, job, end);
    case 'refused':
      return failed(seen, revision, result, ids, end.message);
    case 'failed':
      return failed(seen, revision, after(seen, job, result, end), ids, end.message);
  }
}

const isKnown = ({ contracted = [] }: MigrationResult, ids: readonly string[] = []): boolean =>
  ids.every(id => contracted.includes(id));

type Ended = { readonly endedAt?: number; readonly verdict?: Parameters<typeof resultFrom>[3] };

/** The release's result with what this Job has done. */
function after(seen: Snapshot, job: JobView, before: MigrationResult, { endedAt, verdict }: Ended): MigrationResult {
  if (!verdict || endedAt === undefined) return before;
  const database = seen.wanted.known ? seen.wanted.value.databaseIdentity : '';
  const next = resultFrom(job, database, endedAt, verdict, before);
  const { contracted = [] } = verdict;
  const withheld = (before.withheld ?? []).filter(({ id }) => !contracted.includes(id));
  const finished = isDone(verdict);
  const { applied, result, jobName } = before;
  // what this Job applied is no part of what the release did; what waits is as a Job that came to its end found it
  const more = { ...before.more, withheld: (finished ? verdict : before).more?.withheld ?? 0 };
  return finished ? { ...next, applied, more } : { ...next, applied, result, jobName, withheld, more };
}

function done(seen: Snapshot, { revision, result, ids, what }: Matter, job: JobView, end: Ended): Decision {
  const { verdict } = end;
  const shown = ids.map(shownMigration);
  const left = (verdict?.withheld ?? []).filter(({ id }) => shown.includes(id));
  if (!verdict || !isDone(verdict) || left.length > 0) {
    const said = verdict ? `says "${verdict.result}", ${named(left)} left` : 'gave no verdict';
    return failed(seen, revision, result, ids, `Job ${job.name} exited with 0 but ${said}`);
  }
  // also by a Job whose verdict was lost: the next one finds them applied, and says nothing of them
  const contracted = [...new Set([...(verdict.contracted ?? []), ...shown])];
  const next = after(seen, job, result, { ...end, verdict: { ...verdict, contracted } });
  return act('Contracted', what, annotation(revision, next), 'Normal');
}

function failed(
  seen: Snapshot,
  revision: Revision,
  result: MigrationResult,
  ids: readonly string[],
  words: string,
  reason: ContractFailure['reason'] = 'ContractFailed',
): Decision {
  const { retryToken } = seen.app.spec.rollout;
  const message = `${words}; the release serves on: change spec.migrations.contract.allow, or spec.rollout.retryToken to try again`;
  const token = retryToken === undefined ? {} : { retryToken };
  const failure: ContractFailure = { reason, ids, message, at: iso(seen.now), ...token };
  return act(reason, message, annotation(revision, { ...result, failure }), 'Warning');
}

const write = (revision: Revision, reason: 'Contracting', message: string, result: MigrationResult): Decision =>
  act(reason, message, annotation(revision, result));

const annotation = ({ name }: Revision, result: MigrationResult): Action => ({
  do: 'annotateRevision',
  revision: name,
  set: { [ANNOTATIONS.migration]: JSON.stringify(result) },
});
