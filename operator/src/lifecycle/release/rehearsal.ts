// A pod of the new release where no Service sends users: does it start, get ready, and answer?
// What fails here, no user ever meets.
//   a. the pod starts (an image that cannot be pulled waits for it; a crash is tried twice)
//   b. it gets ready within progressDeadlineSeconds
//   c. /health, /ready, /metrics and the smoke tests answer, at the second attempt at the latest
//   d. what users asked of late is answered as well as by a stable pod that is asked the same
// None of it counts against the release while the stable pods are down too.
import type { IncidentSummary } from '../../api/incident.ts';
import type { VerdictEvidence } from '../../api/rollout.ts';
import { names } from '../../objects/names.ts';
import { about, type Decision, type Stage } from '../decision.ts';
import { named, resultOf } from '../schema/result.ts';
import {
  hasNewRelease,
  type PodView,
  type Revision,
  revisionOf,
  type Snapshot,
  START_GRACE_MS,
  servesUnproven,
  stableIsDown,
  versionOf,
} from '../snapshot.ts';
import { incidentOf } from './incident.ts';
import { startFault } from './pod-trouble.ts';
import { type RefusalReason, refused } from './refusal.ts';

const { act, fail, proceed, wait } = about('AnalysisPassed');

const CRASHES = 2;
const ATTEMPTS = 2;
/** A fault of a shared dependency has shown itself on the stable pods by then, and is not blamed on the release. */
const SECOND_LOOK_SECONDS = 10;

type Rehearsal = NonNullable<Revision['rehearsal']>;

export const rehearsal: Stage = seen => {
  if (!seen.wanted.known || !hasNewRelease(seen)) return proceed('RehearsalPassed', 'the release serves already');
  const { release } = seen.wanted.value;
  // nobody is served yet, so there is nobody to protect
  if (!seen.deployment?.record.stable && !servesUnproven(seen))
    return proceed('RehearsalPassed', 'a first install needs no rehearsal');
  const revision = revisionOf(seen, release.hash);
  if (!revision) return wait('RehearsalRunning', 'the release is being written down', 1_000);
  const before = incidentOf(seen, release.hash);
  if (before?.attempt !== undefined && revision.verdict.verdict === 'pending' && isOfRehearsal(before)) {
    const { reason, message } = before;
    return refused(seen, revision, {
      phase: 'Rehearsal',
      reason: reason as RefusalReason,
      message,
      ...shown(revision),
    });
  }
  const pods = seen.rehearsals.filter(({ release: hash }) => hash === release.hash);
  const isWorker = ({ name }: PodView) => name === names.workerRehearsal(seen.app.metadata.name, release.hash);
  const [pod, worker] = [pods.find(one => !isWorker(one)), pods.find(isWorker)];
  if (revision.rehearsal?.passed) return passed(revision.rehearsal, pods);
  if (revision.verdict.verdict === 'released') return proceed('RehearsalPassed', 'the release has served before');
  if (!pod)
    return act('RehearsalRunning', `a pod of ${versionOf(release.image)} is tried where no user meets it`, {
      do: 'createRehearsal',
      release,
    });
  if (!worker && isWorkerNeeded(seen))
    return act('RehearsalRunning', `a worker of ${versionOf(release.image)} is tried`, {
      do: 'createRehearsal',
      release,
      worker: true,
    });
  return starts(seen, revision, pod) ?? (worker && starts(seen, revision, worker)) ?? smoke(seen, revision, pod);
};

/** Written down already, and the verdict is still to be: whatever the pods say by now. */
const isOfRehearsal = ({ reason }: IncidentSummary): boolean =>
  ['RehearsalFailed', 'ProgressDeadlineExceeded', 'SmokeTestFailed'].includes(reason);

/** DevShelf's worker is rehearsed beside it, where one is wanted. */
const isWorkerNeeded = ({ app, wanted }: Snapshot): boolean =>
  wanted.known &&
  wanted.value.release.worker !== undefined &&
  app.kind === 'DevShelfDeployment' &&
  (app.spec.worker.autoscaling !== undefined || app.spec.worker.replicas > 0);

function passed({ message, differences = [] }: Rehearsal, pods: readonly PodView[]): Decision {
  const pod = pods.find(({ deleting }) => !deleting);
  if (pod)
    return act(
      'RehearsalPassed',
      message,
      { do: 'deletePod', pod: pod.name, uid: pod.uid },
      differences.length > 0 ? 'Warning' : undefined,
    );
  return proceed('RehearsalPassed', message);
}

/** Undefined when it has started. */
function starts(seen: Snapshot, revision: Revision, pod: PodView): Decision | undefined {
  if (pod.deleting) return leaving(seen, pod);
  if (pod.ended)
    return act('RehearsalRunning', `pod ${pod.name} ended (${pod.ended.reason}): another one is tried`, {
      do: 'deletePod',
      pod: pod.name,
      uid: pod.uid,
    });
  const blocked = startFault(pod);
  if (blocked !== undefined) return notStarting(seen, pod, blocked);
  if (crashed(pod))
    return blame(
      seen,
      revision,
      'RehearsalFailed',
      `does not start: ${exitOf(pod)}; kubectl logs ${pod.name} --previous has its words for ten minutes`,
    );
  return pod.ready ? undefined : gettingReady(seen, revision, pod);
}

/** A finalizer, or a node that is lost, keeps it: nobody but a person can tell. */
function leaving({ now }: Snapshot, { name, goneBy = now }: PodView): Decision {
  if (now - goneBy < START_GRACE_MS) return wait('RehearsalRunning', `pod ${name} of an earlier try is leaving`, 2_000);
  return fail(
    'PodCannotStart',
    `pod ${name} of an earlier try does not go: look at its finalizers and its node; kubectl delete pod ${name} --force removes it`,
  );
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
  if (last.reason === 'RehearsalFailed') return blame(seen, revision, last.reason, last.message);
  if (last.reason === 'DependencyDegraded' && since < SECOND_LOOK_SECONDS)
    return wait('DependencyDegraded', `${last.message}; asked again`, (SECOND_LOOK_SECONDS - since) * 1000 + 1);
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

function blame(seen: Snapshot, revision: Revision, reason: RefusalReason, fault: string): Decision {
  if (stableIsDown(seen)) return degraded();
  const message = `${versionOf(revision.release.image)} ${fault} (seen in its rehearsal: no user met it)${withoutContract(seen, revision)}`;
  return refused(seen, revision, { phase: 'Rehearsal', reason, message, ...shown(revision) });
}

/** What the replay counted, whichever write of the refusal it is. */
const shown = ({ rehearsal: tried }: Revision): { readonly evidence?: VerdictEvidence } =>
  tried?.evidence ? { evidence: tried.evidence } : {};

/** Its code may be written for a schema from which something is taken away already: a rename. */
function withoutContract(seen: Snapshot, revision: Revision): string {
  const withheld = resultOf(seen, revision)?.withheld ?? [];
  if (withheld.length === 0) return '';
  return `; withheld: ${named(withheld)}; a change that cannot wait needs spec.migrations.contract.when: BeforeRollout`;
}

const degraded = (): Decision =>
  wait('DependencyDegraded', 'the stable pods are not ready either: the release is not judged until they are', 5_000);

const crashed = (pod: PodView): boolean => pod.restarts >= CRASHES || pod.waiting?.reason === 'CrashLoopBackOff';

const exitOf = (pod: PodView): string => pod.lastExit ?? pod.waiting?.message ?? 'the container ended';
