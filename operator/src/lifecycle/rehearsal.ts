// A pod of the new release where no Service sends users: does it start, get ready, and answer?
// What fails here, no user ever meets.
//   a. the pod starts (an image that cannot be pulled waits for it; a crash is tried twice)
//   b. it gets ready within progressDeadlineSeconds
//   c. /health, /ready, /metrics and the smoke tests answer, at the second attempt at the latest
// None of it counts against the release while the stable pods are down too.
import type { Reason } from '../api/reasons.ts';
import { about, type Decision, type Stage } from './decision.ts';
import {
  hasNewRelease,
  iso,
  type PodView,
  type Revision,
  revisionOf,
  type Snapshot,
  START_GRACE_MS,
  servesUnproven,
  stableIsDown,
  versionOf,
} from './snapshot.ts';
import { verdictAnnotations } from './verdict.ts';

const { act, fail, proceed, wait } = about('AnalysisPassed');

const CRASHES = 2;
const ATTEMPTS = 2;
/** A fault of a shared dependency has shown itself on the stable pods by then, and is not blamed on the release. */
const SECOND_LOOK_SECONDS = 10;

export const rehearsal: Stage = seen => {
  if (!seen.wanted.known || !hasNewRelease(seen)) return proceed('RehearsalPassed', 'the release serves already');
  const { release } = seen.wanted.value;
  // nobody is served yet, so there is nobody to protect
  if (!seen.deployment?.record.stable && !servesUnproven(seen))
    return proceed('RehearsalPassed', 'a first install needs no rehearsal');
  const revision = revisionOf(seen, release.hash);
  if (!revision) return wait('RehearsalRunning', 'the release is being written down', 1_000);
  const pod = seen.rehearsals.find(({ release: hash }) => hash === release.hash);
  if (revision.rehearsal?.passed) return passed(revision.rehearsal.message, pod);
  if (revision.verdict.verdict === 'released') return proceed('RehearsalPassed', 'the release has served before');
  if (!pod)
    return act('RehearsalRunning', `a pod of ${versionOf(release.image)} is tried where no user meets it`, {
      do: 'createRehearsal',
      release,
    });
  return watch(seen, revision, pod);
};

function passed(message: string, pod: PodView | undefined): Decision {
  if (pod && !pod.deleting) return act('RehearsalPassed', message, { do: 'deletePod', pod: pod.name, uid: pod.uid });
  return proceed('RehearsalPassed', message);
}

function watch(seen: Snapshot, revision: Revision, pod: PodView): Decision {
  if (pod.deleting) return wait('RehearsalRunning', `pod ${pod.name} of an earlier try is leaving`, 2_000);
  const blocked = pod.unschedulable ?? pullFault(pod);
  if (blocked !== undefined) return notStarting(seen, pod, blocked);
  if (crashed(pod)) return blame(seen, revision, 'RehearsalFailed', `does not start: ${exitOf(pod)}`);
  if (!pod.ready) return gettingReady(seen, revision, pod);
  return smoke(seen, revision, pod);
}

function notStarting(seen: Snapshot, pod: PodView, words: string): Decision {
  if (seen.now - pod.createdAt < START_GRACE_MS) return wait('PodStarting', words, 5_000);
  return fail(
    'PodCannotStart',
    `pod ${pod.name} does not start: ${words}; mend the spec, or what is missing, and it goes on by itself`,
  );
}

function gettingReady(seen: Snapshot, revision: Revision, pod: PodView): Decision {
  const waited = (seen.now - pod.createdAt) / 1000;
  const limit = seen.app.spec.rollout.progressDeadlineSeconds;
  if (waited < limit) return wait('RehearsalRunning', `pod ${pod.name} is starting`, 5_000);
  return blame(
    seen,
    revision,
    'ProgressDeadlineExceeded',
    `was not ready within ${limit} s${pod.lastExit ? `: ${pod.lastExit}` : ''}`,
  );
}

function smoke(seen: Snapshot, revision: Revision, pod: PodView): Decision {
  const last = revision.rehearsal;
  const attempt = (last?.attempts ?? 0) + 1;
  if (!last)
    return act('RehearsalRunning', `pod ${pod.name} is ready and is asked`, {
      do: 'rehearse',
      pod: pod.name,
      revision: revision.name,
      attempt,
    });
  const since = (seen.now - Date.parse(last.at)) / 1000;
  if (last.attempts >= ATTEMPTS) return blame(seen, revision, 'SmokeTestFailed', last.message);
  if (stableIsDown(seen)) return degraded();
  if (since < SECOND_LOOK_SECONDS)
    return wait('RehearsalRunning', `${last.message}; asked once more`, (SECOND_LOOK_SECONDS - since) * 1000 + 1);
  return act('RehearsalRunning', `${last.message}; asked once more`, {
    do: 'rehearse',
    pod: pod.name,
    revision: revision.name,
    attempt,
  });
}

function blame(seen: Snapshot, revision: Revision, reason: Reason, fault: string): Decision {
  if (stableIsDown(seen)) return degraded();
  const message = `${versionOf(revision.release.image)} ${fault} (seen in its rehearsal: no user met it)`;
  const verdict = { verdict: 'rejected', reason, message, at: iso(seen.now) } as const;
  const set = verdictAnnotations(verdict, seen.app.spec.rollout.retryToken);
  return act(reason, message, { do: 'annotateRevision', revision: revision.name, set }, 'Warning');
}

const degraded = (): Decision =>
  wait('DependencyDegraded', 'the stable pods are not ready either: the release is not judged until they are', 5_000);

const crashed = (pod: PodView): boolean => pod.restarts >= CRASHES || pod.waiting?.reason === 'CrashLoopBackOff';

const exitOf = (pod: PodView): string => pod.lastExit ?? pod.waiting?.message ?? 'the container ended';

const NOT_STARTING = [
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
];

function pullFault({ waiting }: PodView): string | undefined {
  return waiting && NOT_STARTING.includes(waiting.reason) ? `${waiting.reason}: ${waiting.message}` : undefined;
}
