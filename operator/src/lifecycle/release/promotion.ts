// The release replaces the stable pods, never fewer ready than wanted; its candidate serves on until that is done.
//   a. promoted by a verdict, and by pods that were seen to serve
//   b. held: a bad release whose policy is Hold stays where it is until a person decides
//   c. no progress for progressDeadlineSeconds: taken back, unless something else is in its way
//   d. so it is when that time is over for each of its pods, whatever comes and goes
import type { RolloutRecord } from '../../api/rollout.ts';
import { about, type Decision, type Stage } from '../decision.ts';
import { contractOf, passage } from '../schema/fence.ts';
import {
  inPhase,
  iso,
  type Judgement,
  podsOf,
  type Snapshot,
  secondsSince,
  stableIsDown,
  versionIn,
  workersOf,
} from '../snapshot.ts';
import { startFault, trouble } from './pod-trouble.ts';
import { hasStable, withdraw } from './withdrawal.ts';

const { act, fail, proceed, wait } = about('Ready');

export const promotion: Stage = seen => {
  const record = seen.deployment?.record;
  if (!record) return wait('Progressing', 'the Deployment is being made', 1_000);
  if (record.phase === 'Candidate') return promote(seen, record);
  if (!inPhase(seen, 'Promoting', 'Installing')) return proceed('Progressing', 'every pod runs the release');
  if (record.held)
    return fail(
      'Held',
      `${versionIn(seen, record.release)} is held in the middle of its promotion: apply the earlier spec to go back, or a new one`,
    );
  if (complete(seen, record)) return proceed('Progressing', 'every pod runs the release');
  return progress(seen, record);
};

function promote(seen: Snapshot, record: RolloutRecord): Decision {
  const why = seen.judgement?.message ?? 'analysis is off';
  return act(
    'Promoting',
    `${versionIn(seen, record.release)} is promoted: ${why}`,
    { do: 'setRecord', record: promoted(seen, record) },
    'Normal',
  );
}

/** The record of a candidate that is let on, with what was seen of it. */
export function promoted(seen: Snapshot, record: RolloutRecord): RolloutRecord {
  const stableErrorRatio = provenErrorRatio(seen.judgement?.baseline);
  const contract = contractOf(seen, record);
  const borne = seen.judgement?.borne;
  return {
    ...record,
    phase: 'Promoting',
    since: iso(seen.now),
    ...(stableErrorRatio !== undefined && { stableErrorRatio }),
    ...(borne && borne.all > 0 && { borne }),
    ...(contract && { contract }),
    ...trialIn(seen),
  };
}

/** Without an analysis there was none. */
function trialIn({ judgement, now }: Snapshot): Pick<RolloutRecord, 'trial'> {
  if (!judgement) return {};
  const { verdict, candidate, baseline } = judgement;
  return { trial: { verdict, at: iso(now), candidate: { ...candidate }, baseline: { ...baseline } } };
}

/**
 * The bake allows the release what stable certainly did, not what one unlucky request made of it: two deviations less.
 * Overload is excused by itself.
 */
function provenErrorRatio(
  { requests, errors, shed = 0 }: Judgement['baseline'] = { requests: 0, errors: 0 },
): number | undefined {
  const failed = errors - shed;
  const proven = failed - 2 * Math.sqrt(failed);
  return proven > 0 ? proven / requests : undefined;
}

/** Nothing is proven by nothing: scaled to zero, a release that replaces another is not complete. */
function complete(seen: Snapshot, record: RolloutRecord): boolean {
  const { deployment, worker } = seen;
  if (isWorkerBehind(seen, record)) return false;
  if (!deployment?.observed || (deployment.wantedReplicas === 0 && hasStable(record))) return false;
  return [deployment, ...(worker ? [worker] : [])].every(
    ({ observed, wantedReplicas, updatedReplicas, availableReplicas, replicas }) =>
      observed &&
      updatedReplicas >= wantedReplicas &&
      availableReplicas >= wantedReplicas &&
      replicas <= updatedReplicas,
  );
}

function progress(seen: Snapshot, record: RolloutRecord): Decision {
  const { updatedReplicas = 0, wantedReplicas = 0, availableReplicas = 0 } = seen.deployment ?? {};
  if (wantedReplicas === 0)
    return wait(
      'ScaledToZero',
      `no pod is wanted: ${versionIn(seen, record.release)} goes on when the service is scaled up`,
      60_000,
    );
  if (seen.deployment?.paused)
    return fail(
      'Held',
      `${versionIn(seen, record.release)}: somebody paused the Deployment; kubectl rollout resume lets it go on`,
    );
  const words = hindrance(seen) ?? trouble([...podsOf(seen, record.release), ...workersOf(seen)]);
  const counts = `${updatedReplicas} of ${wantedReplicas} pods replaced, ${availableReplicas} available${workerCounts(seen)}${words === undefined ? '' : ` (${words})`}`;
  const limit = deadlineSeconds(seen);
  const isMoving = (seen.now - progressedAt(seen, record)) / 1000 < limit;
  const isRestless = secondsSince(record.since, seen.now) >= limit * Math.max(2, wantedReplicas);
  if (isMoving && !isRestless) return wait('Promoting', `${versionIn(seen, record.release)}: ${counts}`, 2_000);
  const late = isMoving ? `pods get ready and do not stay so, since ${record.since}` : `no progress for ${limit} s`;
  const message = `${versionIn(seen, record.release)}: ${counts}, ${late}`;
  if (!hasStable(record))
    return fail(
      'FirstReleaseFailed',
      `${message}; there is no earlier release to go back to: mend the spec and apply it`,
    );
  if (isKeptOut(seen, record))
    return fail(
      'PodCannotStart',
      `${message}; the release is not to blame: mend what is missing and it goes on by itself`,
    );
  if (stableIsDown(seen))
    return wait('DependencyDegraded', `${message}; no pod is ready, what they share is at fault`, 5_000);
  const way = passage(seen, record);
  if (!way.isOpen) return fail('RollbackFenced', `${message}; ${way.words}`);
  return act(
    'ProgressDeadlineExceeded',
    message,
    { do: 'setRecord', record: withdraw(seen, record, 'rejected', 'ProgressDeadlineExceeded', message) },
    'Warning',
  );
}

/** A pod counts as progress when it was ready for minReadySeconds: that long nothing can be expected of it. */
const deadlineSeconds = ({ app }: Snapshot): number =>
  app.spec.rollout.progressDeadlineSeconds + app.spec.rollout.minReadySeconds;

const progressedAt = ({ deployment, worker }: Snapshot, { since }: RolloutRecord): number =>
  Math.max(Date.parse(since), deployment?.progressedAt ?? 0, worker?.progressedAt ?? 0);

/** Why no further pod is made, in the words of whoever refuses it: a quota, an admission policy. */
const hindrance = ({ deployment, worker }: Snapshot): string | undefined => deployment?.refused ?? worker?.refused;

function workerCounts({ worker }: Snapshot): string {
  if (!worker || worker.availableReplicas >= worker.wantedReplicas) return '';
  return `, ${worker.availableReplicas} of ${worker.wantedReplicas} workers available`;
}

/** Its Deployment could not be written (the condition ChildrenApplied says why), or has not replaced it yet. */
const isWorkerBehind = (seen: Snapshot, record: RolloutRecord): boolean =>
  workersOf(seen).some(({ release }) => release !== record.release);

/** Whatever has not started was not let in; what has started is ready. */
function isKeptOut(seen: Snapshot, record: RolloutRecord): boolean {
  const late = [...podsOf(seen, record.release), ...workersOf(seen)].filter(pod => !pod.ready);
  const blocked = late.filter(pod => startFault(pod) !== undefined);
  const isRefused = hindrance(seen) !== undefined || isWorkerBehind(seen, record);
  return late.length === blocked.length && (blocked.length > 0 || isRefused);
}
