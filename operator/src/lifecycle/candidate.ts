// The canary joins the Service beside the stable pods; a long minReadySeconds holds everything else where it is.
//   a. first install: the whole Deployment at once, there is nobody to protect
//   b. otherwise the canary starts only from a Deployment at rest
//   c. the canary gets ready within progressDeadlineSeconds, unless the stable pods are down too
import type { RolloutRecord } from '../api/rollout.ts';
import { about, type Decision, type Stage } from './decision.ts';
import {
  hasNewRelease,
  inPhase,
  iso,
  podsOf,
  revisionOf,
  type Snapshot,
  secondsSince,
  servesUnproven,
  stableIsDown,
  versionOf,
} from './snapshot.ts';
import { verdictAnnotations } from './verdict.ts';
import { hasStable, withdraw } from './withdrawal.ts';

const { act, proceed, wait } = about('AnalysisPassed');

export const candidate: Stage = seen => {
  if (hasNewRelease(seen)) return start(seen);
  const record = seen.deployment?.record;
  if (record?.phase !== 'Candidate') return proceed('AnalysisPassed', 'no candidate is held');
  return join(seen, record);
};

function start(seen: Snapshot): Decision {
  if (!seen.wanted.known) return wait('CandidateStarting', seen.wanted.why, 5_000);
  const { release } = seen.wanted.value;
  const record = seen.deployment?.record;
  const next = { release: release.hash, since: iso(seen.now) };
  const version = versionOf(release.image);
  if (!record?.stable && !servesUnproven(seen)) {
    return act(
      'CandidateStarting',
      `${version} is installed`,
      { do: 'setRecord', record: { phase: 'Installing', ...next } },
      'Normal',
    );
  }
  return (
    bakeCutShort(seen) ??
    atRest(seen) ??
    act(
      'CandidateStarting',
      `${version} passed its rehearsal and meets its first users`,
      { do: 'setRecord', record: { phase: 'Candidate', ...next, stable: record?.release ?? release.hash } },
      'Normal',
    )
  );
}

/** A newer spec does not wait half an hour: what serves without fault until now is what it is compared with. */
function bakeCutShort(seen: Snapshot): Decision | undefined {
  const revision = revisionOf(seen, seen.deployment?.record.release);
  if (!inPhase(seen, 'Baking') || !revision || revision.verdict.verdict === 'released') return undefined;
  const at = iso(seen.now);
  const { verdict, message: figures } = seen.judgement ?? { verdict: 'Pending', message: '' };
  const message =
    verdict === 'Bad'
      ? `released in spite of its figures (${figures}): analysis.policy is Observe`
      : 'released: no fault seen until a newer spec came';
  const set = verdictAnnotations(
    { verdict: 'released', reason: 'Released', message, at },
    seen.app.spec.rollout.retryToken,
  );
  return act('Released', message, { do: 'annotateRevision', revision: revision.name, set });
}

/** Pods of one release only. Whether they are ready is not asked: the new spec may be what mends them. */
function atRest({ deployment }: Snapshot): Decision | undefined {
  if (!deployment) return undefined;
  const { observed, updatedReplicas, wantedReplicas, replicas } = deployment;
  if (observed && updatedReplicas >= wantedReplicas && replicas <= updatedReplicas) return undefined;
  const counts = `${updatedReplicas} of ${wantedReplicas} pods run the stable release, ${replicas} in all`;
  return wait('CandidateStarting', `the stable release must be complete first: ${counts}`, 2_000);
}

function join(seen: Snapshot, record: RolloutRecord): Decision {
  const pods = podsOf(seen, record.release);
  const ready = pods.filter(pod => pod.ready).length;
  const wanted = Math.min(seen.app.spec.rollout.canaryReplicas, seen.deployment?.wantedReplicas ?? 1);
  if (ready >= wanted) return proceed('Analysing', `${ready} candidate pods serve`);
  if (stableIsDown(seen))
    return wait('DependencyDegraded', 'stable and candidate pods are not ready: what they share is at fault', 5_000);
  const limit = seen.app.spec.rollout.progressDeadlineSeconds;
  if (secondsSince(record.since, seen.now) < limit || !hasStable(record)) {
    return wait('CandidateStarting', `${ready} of ${wanted} candidate pods ready`, 2_000);
  }
  const message = `${versionOf(revisionOf(seen, record.release)?.release.image ?? record.release)}: ${ready} of ${wanted} candidate pods ready after ${limit} s`;
  return act(
    'CandidateFailed',
    message,
    { do: 'setRecord', record: withdraw(seen, record, 'rejected', 'CandidateFailed', message) },
    'Warning',
  );
}
