// The candidate joins the Service in a Deployment of its own; the stable pods are not touched by it.
//   a. first install: the whole Deployment at once, there is nobody to protect
//   b. otherwise the candidate starts only beside a Deployment at rest
//   c. each of its pods gets ready within progressDeadlineSeconds, unless the stable pods are down too
// A pod that cannot even start (no room, a quota, an image that cannot be pulled) is no fault of the release.
import type { RolloutRecord } from '../../api/rollout.ts';
import { names } from '../../objects/names.ts';
import { about, type Decision, type Stage } from '../decision.ts';
import { bracketed, requesterBySpec, wordsFor } from '../requested.ts';
import {
  hasNewRelease,
  inPhase,
  iso,
  type PodView,
  podsOf,
  revisionOf,
  type Snapshot,
  START_GRACE_MS,
  servesUnproven,
  stableIsDown,
  versionIn,
  versionOf,
  wantedHash,
} from '../snapshot.ts';
import { type FirstMetrics, firstMetrics, isUnread, releasedAnnotations, whyUnread } from './first-metrics.ts';
import { startFault, trouble } from './pod-trouble.ts';
import { hasStable, withdraw } from './withdrawal.ts';

const { act, fail, proceed, wait } = about('AnalysisPassed');

export const candidate: Stage = seen => {
  if (hasNewRelease(seen)) return start(seen);
  const record = seen.deployment?.record;
  if (record?.phase !== 'Candidate') return proceed('AnalysisPassed', 'no candidate is on trial');
  return join(seen, record);
};

function start(seen: Snapshot): Decision {
  if (!seen.wanted.known) return wait('CandidateStarting', seen.wanted.why, 5_000);
  const { release } = seen.wanted.value;
  const record = seen.deployment?.record;
  const next = { release: release.hash, since: iso(seen.now), ...again(seen, release.hash) };
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
    inPlaceOfALostOne(seen, version) ??
    atRest(seen) ??
    act(
      'CandidateStarting',
      beginning(seen, version),
      { do: 'setRecord', record: { phase: 'Candidate', ...next, stable: record?.release ?? release.hash } },
      'Normal',
    )
  );
}

/** Two rollouts of one release are two stories. */
const again = (seen: Snapshot, hash: string): Pick<RolloutRecord, 'again'> =>
  (revisionOf(seen, hash)?.verdict.verdict ?? 'pending') === 'pending' ? {} : { again: iso(seen.now) };

/** Of one that served before nobody has been told yet who asks for it: it is no new release. */
function beginning(seen: Snapshot, version: string): string {
  const before = revisionOf(seen, wantedHash(seen))?.verdict.verdict;
  if (before !== 'released') return `${version} passed its rehearsal and meets its first users`;
  return `${version}, which has served before, meets its first users${bracketed(wordsFor(requesterBySpec(seen)))}`;
}

/** A newer spec does not wait half an hour: what serves without fault until now is what it is compared with. */
function bakeCutShort(seen: Snapshot): Decision | undefined {
  const revision = revisionOf(seen, seen.deployment?.record.release);
  if (!inPhase(seen, 'Baking') || !revision || revision.verdict.verdict === 'released') return undefined;
  if (isUnread(seen) && seen.app.spec.rollout.analysis.policy !== 'Disabled')
    return wait('CandidateStarting', 'what serves is read once before a newer spec takes its place', 1_000);
  const first = firstMetrics(seen, 'CutShort');
  const message = `${outcome(seen, first)}: a newer spec came`;
  const set = releasedAnnotations(seen, message, first);
  const action = { do: 'annotateRevision', revision: revision.name, set } as const;
  return act('Released', `${versionOf(revision.release.image)} is ${message}`, action, 'Normal');
}

function outcome(seen: Snapshot, first: FirstMetrics): string {
  const { judgement } = seen;
  if (judgement?.verdict === 'Bad') return `released in spite of its figures (${judgement.message})`;
  if (first.from === undefined || judgement?.verdict === 'Blind') return `released unwatched (${whyUnread(seen)})`;
  const counts = `${first.errors} of ${first.requests_total} requests answered 5xx`;
  return `released early (${first.errors === 0 ? `no fault in ${first.requests_total} requests` : counts})`;
}

/** The stable release cannot come back (its image is gone, say, or it is behind the fence): nobody is left to compare the new one with. */
function inPlaceOfALostOne(seen: Snapshot, version: string): Decision | undefined {
  const record = seen.deployment?.record;
  if (!record || !inPhase(seen, 'RollingBackAll', 'Promoting') || !seen.wanted.known) return undefined;
  const { hash } = seen.wanted.value.release;
  const { stable = record.release, contract } = record;
  return act(
    'Promoting',
    `${version} replaces what cannot come back`,
    {
      do: 'setRecord',
      record: {
        phase: 'Promoting',
        release: hash,
        stable,
        since: iso(seen.now),
        ...again(seen, hash),
        ...(contract && { contract }),
      },
    },
    'Normal',
  );
}

/** Pods of one release only. Whether they are ready is not asked: the new spec may be what mends them. */
function atRest({ deployment, candidate: earlier }: Snapshot): Decision | undefined {
  if (earlier) return wait('CandidateStarting', `Deployment ${earlier.name} of an earlier trial is leaving`, 1_000);
  if (!deployment) return undefined;
  const { observed, updatedReplicas, wantedReplicas, replicas } = deployment;
  if (observed && updatedReplicas >= wantedReplicas && replicas <= updatedReplicas) return undefined;
  const counts = `${updatedReplicas} of ${wantedReplicas} pods run the stable release, ${replicas} in all`;
  return wait('CandidateStarting', `the stable release must be complete first: ${counts}`, 2_000);
}

function join(seen: Snapshot, record: RolloutRecord): Decision {
  const serving = seen.deployment?.wantedReplicas ?? 1;
  if (serving === 0)
    return wait('ScaledToZero', 'no pod is wanted: the trial stands still until the service is scaled up', 60_000);
  const pods = podsOf(seen, record.release);
  const ready = pods.filter(pod => pod.ready).length;
  const wanted = Math.min(seen.app.spec.rollout.canaryReplicas, serving);
  if (ready >= wanted) return proceed('Analysing', `${ready} candidate pods serve`);
  if (stableIsDown(seen))
    return wait('DependencyDegraded', 'stable and candidate pods are not ready: what they share is at fault', 5_000);
  const counts = `${ready} of ${wanted} candidate pods ready`;
  return (
    notStarting(seen, record, counts) ??
    tooLate(seen, record, counts) ??
    wait('CandidateStarting', `${counts}${withWords(trouble(pods))}`, 2_000)
  );
}

/** The cluster has no place for it, or does not let it in. It goes on by itself when that has changed. */
function notStarting(seen: Snapshot, record: RolloutRecord, counts: string): Decision | undefined {
  const pods = podsOf(seen, record.release);
  const blocked = pods.find(pod => !pod.ready && startFault(pod) !== undefined);
  const words = blocked ? `${blocked.name}: ${startFault(blocked)}` : pods.every(({ ready }) => ready) && missing(seen);
  if (!words) return undefined;
  const since = Math.max(Date.parse(record.since), blocked?.createdAt ?? 0);
  if (seen.now - since < START_GRACE_MS) return wait('CandidateStarting', `${counts} (${words})`, 5_000);
  return fail(
    'PodCannotStart',
    `${counts} (${words}); the release is not to blame: mend what is missing and it goes on by itself`,
  );
}

/** Why there are too few of them. */
const missing = ({ candidate: live, app }: Snapshot): string | undefined =>
  live
    ? live.refused
    : `Deployment ${names.candidate(app.metadata.name)} is not there: the condition ChildrenApplied says why`;

/** Counted for each pod from its own start, or from when it lost its readiness: a replaced pod has its whole time. */
function tooLate(seen: Snapshot, record: RolloutRecord, counts: string): Decision | undefined {
  const limit = seen.app.spec.rollout.progressDeadlineSeconds;
  const late = podsOf(seen, record.release).find(pod => !pod.ready && seen.now - unreadySince(pod) >= limit * 1000);
  if (!late || !hasStable(record)) return undefined;
  const message = `${versionIn(seen, record.release)}: ${counts}, ${late.name} not within ${limit} s${withWords(trouble([late]))}`;
  return act(
    'CandidateFailed',
    message,
    { do: 'setRecord', record: withdraw(seen, record, 'rejected', 'CandidateFailed', message) },
    'Warning',
  );
}

const unreadySince = ({ createdAt, readyChangedAt = 0 }: PodView): number => Math.max(createdAt, readyChangedAt);

const withWords = (words: string | undefined): string => (words === undefined ? '' : ` (${words})`);
