// A rollback that has begun is finished before anything else begins, and its reason is written down with the release.
import { about, type Decision, type Interrupt } from './decision.ts';
import { inPhase, iso, podsOf, revisionOf, type Snapshot, secondsSince, versionOf } from './snapshot.ts';
import { verdictAnnotations } from './verdict.ts';

const { act, wait } = about('AnalysisPassed');

/**
 * A pod that answers with errors keeps its clients' open connections until it ends, and a long preStop sleep keeps
 * them for as long: what is left of a bad release goes after this many seconds.
 */
const HURRY_SECONDS = 1;

export const rollback: Interrupt = seen => hurry(seen) ?? writeDown(seen) ?? finish(seen);

function hurry(seen: Snapshot): Decision | undefined {
  const withdrawn = seen.deployment?.record.withdrawn;
  if (withdrawn?.reason !== 'Regression' || !inPhase(seen, 'RollingBack', 'RollingBackAll')) return undefined;
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

function finish(seen: Snapshot): Decision | undefined {
  const { deployment, now } = seen;
  if (!deployment || !inPhase(seen, 'RollingBack', 'RollingBackAll')) return undefined;
  const { candidatePods: _gone, withdrawn, ...record } = deployment.record;
  const back = versionOf(revisionOf(seen, record.release)?.release.image ?? record.release);
  const left = podsOf(seen, withdrawn?.release).length;
  const restored = deployment.observed && deployment.updatedReplicas >= deployment.wantedReplicas;
  // a stable release that cannot come back must not lock out the spec that would mend it
  const overdue = secondsSince(record.since, now) > seen.app.spec.rollout.progressDeadlineSeconds;
  if ((left > 0 || !restored) && !overdue) {
    const counts = `${deployment.readyReplicas} of ${deployment.wantedReplicas} pods ready, ${left} pods of the release taken back left`;
    return wait('RollingBack', `${back} is coming back: ${counts}`, 2_000);
  }
  return act('RollingBack', `${back} serves again`, {
    do: 'setRecord',
    record: { ...record, phase: 'Settled', stable: record.release, since: iso(now) },
  });
}
