// The hold is lifted: the release replaces the stable pods, never fewer ready than wanted.
import type { RolloutRecord } from '../api/rollout.ts';
import { about, type Decision, type Stage } from './decision.ts';
import { inPhase, iso, podsOf, revisionOf, type Snapshot, secondsSince, stableIsDown, versionOf } from './snapshot.ts';
import { hasStable, withdraw } from './withdrawal.ts';

const { act, fail, proceed, wait } = about('Ready');

export const promotion: Stage = seen => {
  const record = seen.deployment?.record;
  if (!record) return wait('Progressing', 'the Deployment is being made', 1_000);
  if (record.phase === 'Candidate') return promote(seen, record);
  if (!inPhase(seen, 'Promoting', 'Installing') || complete(seen))
    return proceed('Progressing', 'every pod runs the release');
  return progress(seen, record);
};

function promote(seen: Snapshot, record: RolloutRecord): Decision {
  const { candidatePods: _none, ...rest } = record;
  const baseline = seen.judgement?.baseline;
  const stableErrorRatio = baseline && baseline.requests > 0 ? baseline.errors / baseline.requests : undefined;
  const next: RolloutRecord = {
    ...rest,
    phase: 'Promoting',
    since: iso(seen.now),
    ...(stableErrorRatio !== undefined && { stableErrorRatio }),
  };
  const why = seen.judgement?.message ?? 'analysis is off';
  return act('Promoting', `${name(seen, record)} is promoted: ${why}`, { do: 'setRecord', record: next }, 'Normal');
}

function complete({ deployment }: Snapshot): boolean {
  if (!deployment?.observed) return false;
  const { wantedReplicas, updatedReplicas, availableReplicas, replicas } = deployment;
  return updatedReplicas >= wantedReplicas && availableReplicas >= wantedReplicas && replicas <= updatedReplicas;
}

function progress(seen: Snapshot, record: RolloutRecord): Decision {
  const { updatedReplicas = 0, wantedReplicas = 0, availableReplicas = 0 } = seen.deployment ?? {};
  const counts = `${updatedReplicas} of ${wantedReplicas} pods replaced, ${availableReplicas} available${trouble(seen, record)}`;
  const limit = seen.app.spec.rollout.progressDeadlineSeconds;
  if (secondsSince(record.since, seen.now) < limit) return wait('Promoting', `${name(seen, record)}: ${counts}`, 2_000);
  const message = `${name(seen, record)}: ${counts} after ${limit} s`;
  if (!hasStable(record))
    return fail(
      'FirstReleaseFailed',
      `${message}; there is no earlier release to go back to: mend the spec and apply it`,
    );
  if (stableIsDown(seen))
    return wait('DependencyDegraded', `${message}; no pod is ready, what they share is at fault`, 5_000);
  return act(
    'ProgressDeadlineExceeded',
    message,
    { do: 'setRecord', record: withdraw(seen, record, 'rejected', 'ProgressDeadlineExceeded', message) },
    'Warning',
  );
}

/** What the kubelet or the scheduler says of the first pod that does not get on. */
function trouble(seen: Snapshot, record: RolloutRecord): string {
  for (const pod of podsOf(seen, record.release)) {
    const words = pod.unschedulable ?? (pod.waiting && `${pod.waiting.reason} ${pod.waiting.message}`) ?? pod.lastExit;
    if (!pod.ready && words) return ` (${pod.name}: ${words.trim()})`;
  }
  return '';
}

const name = (seen: Snapshot, record: RolloutRecord): string =>
  versionOf(revisionOf(seen, record.release)?.release.image ?? record.release);
