// A rollback that has begun is finished before anything else begins, and its reason is written down with the release.
import type { IncidentSummary } from '../../api/incident.ts';
import type { Reason } from '../../api/reasons.ts';
import type { Withdrawal } from '../../api/rollout.ts';
import { about, type Decision, type Interrupt } from '../decision.ts';
import { hasNewRelease, inPhase, iso, podsOf, revisionOf, type Snapshot, versionIn, wantedHash } from '../snapshot.ts';
import { withdrawnIncident } from './incident.ts';
import { trouble } from './pod-trouble.ts';
import { verdictAnnotations } from './verdict.ts';

const { act, fail, wait } = about('AnalysisPassed');

/**
 * A pod that answers with errors keeps its clients' open connections until it ends, and a long preStop sleep keeps
 * them for as long: what is left of a bad release goes after this many seconds.
 */
const HURRY_SECONDS = 1;
const IN_A_HURRY: readonly string[] = ['Regression', 'OverloadRegression'] satisfies Reason[];

export const rollback: Interrupt = seen => hurry(seen) ?? remember(seen) ?? writeDown(seen) ?? finish(seen);

/** The incident first: `withdrawn`, which holds its facts, goes only after it. */
function remember(seen: Snapshot): Decision | undefined {
  const withdrawn = seen.deployment?.record.withdrawn;
  if (withdrawn?.verdict !== 'rejected' || !inPhase(seen, 'RollingBack', 'RollingBackAll')) return undefined;
  if (!revisionOf(seen, withdrawn.release) && !withdrawn.facts) return undefined;
  if (isRemembered(seen, withdrawn)) return undefined;
  return act('RollingBack', withdrawn.message, withdrawnIncident(seen, withdrawn));
}

/** Of a withdrawal that an earlier version wrote only the time is known. */
function isRemembered({ incidents = [] }: Snapshot, { facts, release, at }: Withdrawal): boolean {
  const isIts = (known: IncidentSummary) => (facts ? known.attempt === facts.failed.attempt : known.at === at);
  return incidents.some(known => known.release === release && isIts(known));
}

function hurry(seen: Snapshot): Decision | undefined {
  const withdrawn = seen.deployment?.record.withdrawn;
  if (!withdrawn || !IN_A_HURRY.includes(withdrawn.reason) || !inPhase(seen, 'RollingBack', 'RollingBackAll'))
    return undefined;
  const slow = seen.pods.find(
    pod => pod.release === withdrawn.release && pod.deleting && (pod.graceSeconds ?? 0) > HURRY_SECONDS,
  );
  if (!slow) return undefined;
  return act('RollingBack', `pod ${slow.name} answers with errors and goes at once`, {
    do: 'hurryPod',
    pod: slow.name,
    uid: slow.uid,
    graceSeconds: HURRY_SECONDS,
  });
}

/**
 * The Deployment's record said it first, in the same write that began the rollback; the revision remembers it. The
 * record keeps it until then, so whether it is written down can be told without comparing the times of two clocks.
 */
function writeDown(seen: Snapshot): Decision | undefined {
  const withdrawn = seen.deployment?.record.withdrawn;
  const revision = revisionOf(seen, withdrawn?.release);
  if (!withdrawn || !revision || !inPhase(seen, 'RollingBack', 'RollingBackAll')) return undefined;
  const { verdict, at } = revision.verdict;
  if (verdict === withdrawn.verdict && at === withdrawn.at) return undefined;
  const set = verdictAnnotations(withdrawn, seen.app.spec.rollout.retryToken);
  return act('RollingBack', withdrawn.message, { do: 'annotateRevision', revision: revision.name, set });
}

/**
 * Done is what is seen: no pod of the release taken back serves, and the stable ones are ready. What cannot come back is
 * said to a person; it goes on when it can, and a new spec is let through.
 */
function finish(seen: Snapshot): Decision | undefined {
  const { deployment, now } = seen;
  if (!deployment || !inPhase(seen, 'RollingBack', 'RollingBackAll')) return undefined;
  const { withdrawn, again: _over, ...record } = deployment.record;
  const back = versionIn(seen, record.release);
  const left = podsOf(seen, withdrawn?.release).length;
  if (left === 0 && isBack(seen)) {
    return act(
      'RollbackComplete',
      `${back} serves again`,
      { do: 'setRecord', record: { ...record, phase: 'Settled', stable: record.release, since: iso(now) } },
      'Normal',
    );
  }
  const paused = deployment.paused ? 'the Deployment is paused: kubectl rollout resume' : undefined;
  const words = paused ?? deployment.refused ?? trouble(podsOf(seen, record.release));
  const ready = podsOf(seen, record.release).filter(pod => pod.ready).length;
  const counts = `${ready} of ${deployment.wantedReplicas} pods ready, ${left} pods of the release taken back left${words === undefined ? '' : ` (${words})`}`;
  const since = Math.max(Date.parse(record.since), deployment.progressedAt ?? 0);
  if ((now - since) / 1000 < seen.app.spec.rollout.progressDeadlineSeconds)
    return wait('RollingBack', `${back} is coming back: ${counts}`, 2_000);
  if (mayBeReplaced(seen)) return undefined;
  return fail(
    'RollbackIncomplete',
    `${back} does not come back: ${counts}; it goes on by itself when that is mended, or apply a spec that can start`,
  );
}

/** A candidate's end leaves the stable pods as they were: nothing has to come back. */
function isBack({ deployment }: Snapshot): boolean {
  if (deployment?.record.phase === 'RollingBack') return true;
  const { observed = false, updatedReplicas = 0, wantedReplicas = 0, readyReplicas = 0 } = deployment ?? {};
  return observed && updatedReplicas >= wantedReplicas && readyReplicas >= wantedReplicas;
}

/** A stable release that cannot come back must not lock out the spec that would mend it. */
const mayBeReplaced = (seen: Snapshot): boolean =>
  inPhase(seen, 'RollingBackAll') &&
  hasNewRelease(seen) &&
  wantedHash(seen) !== seen.deployment?.record.withdrawn?.release;
