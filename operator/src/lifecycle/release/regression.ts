// Runbook, "Rollback rápido": a sudden rise of 5xx after a deployment. Comes before every stage and before pause.
// Only `Bad` is a verdict on the release; a fault that the pods beside it share is not.
import type { RolloutRecord, VerdictEvidence } from '../../api/rollout.ts';
import { about, type Decision, type Interrupt } from '../decision.ts';
import { fenced, passage } from '../schema/fence.ts';
import { inPhase, podsOf, revisionOf, type Snapshot, stableIsDown, versionIn, workersOf } from '../snapshot.ts';
import { isDespite, isLate } from './bake.ts';
import { gateOf } from './gates.ts';
import { isOwnEnd, isPressed } from './pod-trouble.ts';
import { hasStable, type WithdrawalReason, withdraw } from './withdrawal.ts';

const { act, fail } = about('AnalysisPassed');

/** A container that ended twice since it began to serve is not getting better by itself. */
const CRASHES = 2;
/** For its node's sake a pod may be evicted once or twice. */
const EVICTIONS = 3;

export const regression: Interrupt = seen => {
  const record = seen.deployment?.record;
  if (!record || !inPhase(seen, 'Installing', 'Candidate', 'Promoting', 'Baking')) return undefined;
  const fault = answersWithErrors(seen, record) ?? crashes(seen, record);
  if (fault === undefined) return undefined;
  const decision = answer(seen, record, fault);
  // what stays where it is waits for a person, who may have decided
  return decision?.kind === 'fail' ? (gateOf(seen, fault) ?? decision) : decision;
};

function answer(seen: Snapshot, record: RolloutRecord, fault: string): Decision | undefined {
  const { policy } = seen.app.spec.rollout.analysis;
  const failed = versionIn(seen, record.release);
  const message = `${failed}: ${fault}`;
  if (!hasStable(record)) {
    // a newer spec may already be the remedy: nothing is in its way
    if (hasNewerSpec(seen, record)) return undefined;
    return fail(
      'FirstReleaseFailed',
      `${message}; there is no earlier release to go back to, so nothing was changed: fix the image or the configuration and apply it`,
    );
  }
  if (policy === 'Observe' || policy === 'Disabled' || isLate(seen, record)) return undefined;
  if (isDespite(seen, record)) return undefined;
  // a newer spec is the decision that Hold waits for: the bad release goes, then the newest begins
  if (policy === 'Hold' && !hasNewerSpec(seen, record)) return hold(record, message);
  // its template is needed, and is made again from what runs (recollection)
  if (record.phase !== 'Candidate' && !revisionOf(seen, record.stable)) return undefined;
  const way = passage(seen, record);
  if (!way.isOpen) return fenced(seen, record, message, way.words ?? '');
  const known = way.words === undefined ? '' : `; ${way.words}`;
  return act(
    'RolledBack',
    `${message}${known}; ${goesBackTo(seen, record)}; apply a new spec, or change spec.rollout.retryToken to try ${failed} again`,
    {
      do: 'setRecord',
      record: withdraw(
        seen,
        record,
        'rejected',
        reasonOf(seen, record),
        `${message}${known}`,
        evidenceOf(seen, record),
      ),
    },
    'Warning',
  );
}

/** What is true in the moment of the decision: beside a candidate the stable pods serve on, later they have to start. */
function goesBackTo(seen: Snapshot, record: RolloutRecord & { stable: string }): string {
  const back = versionIn(seen, record.stable);
  return record.phase === 'Candidate' ? `it is taken out, ${back} serves on` : `${back} is coming back`;
}

/** Nothing moves any more: in a promotion that takes a write, or the Deployment controller would go on. */
function hold(record: RolloutRecord, message: string): Decision {
  const words = `${message}; analysis.policy is Hold: apply the earlier spec to go back, or a new one; or promote or reject it (kubectl devshelf)`;
  if (record.phase !== 'Promoting' || record.held) return fail('Held', words);
  return act('Held', words, { do: 'setRecord', record: { ...record, held: true } }, 'Warning');
}

function answersWithErrors({ judgement }: Snapshot, record: RolloutRecord): string | undefined {
  return judgement?.verdict === 'Bad' && judgement.release === record.release ? judgement.message : undefined;
}

const reasonOf = (seen: Snapshot, record: RolloutRecord): WithdrawalReason =>
  (answersWithErrors(seen, record) === undefined ? undefined : seen.judgement?.fault) ?? 'Regression';

/** Crashes were not counted: the cluster's words are in the message. */
const evidenceOf = (seen: Snapshot, record: RolloutRecord): VerdictEvidence | undefined =>
  answersWithErrors(seen, record) === undefined ? undefined : seen.judgement?.evidence;

function crashes(seen: Snapshot, record: RolloutRecord): string | undefined {
  if (record.phase === 'Installing') return undefined; // promotion tells of a first install that cannot start
  if (seen.judgement?.verdict === 'DependencyDegraded') return undefined; // what the releases share is at fault
  if (besideCrashesToo(seen, record)) return undefined;
  return podsCrash(seen, record) ?? podsAreEvicted(seen, record) ?? workersCrash(seen, record);
}

/** Half of the pods keep ending; or more than half ran out of memory, and not just one of them once. */
function podsCrash(seen: Snapshot, record: RolloutRecord): string | undefined {
  const pods = podsOf(seen, record.release);
  const looping = pods.filter(({ restarts }) => restarts >= CRASHES);
  const killed = pods.filter(({ restarts, lastExit }) => restarts < CRASHES && lastExit === 'OOMKilled');
  const crashing = [...looping, ...killed];
  const isCandidate = record.phase === 'Candidate';
  const keepsEnding = looping.length > 0 && looping.length * 2 >= pods.length;
  const outOfMemory = crashing.length * 2 > pods.length && (isCandidate || crashing.length > 1);
  const [first] = crashing;
  if (!first || !(keepsEnding || outOfMemory)) return undefined;
  return `${crashing.length} of ${pods.length} pods crashed since they began to serve (${first.name}: ${first.lastExit ?? 'restarted'})`;
}

/** A pod that its kubelet removed is replaced by another one, whose restarts begin at zero. */
function podsAreEvicted(seen: Snapshot, record: RolloutRecord): string | undefined {
  // they stay listed as long as their ReplicaSet is kept: what ended in an earlier attempt is another story
  const since = Date.parse(record.since);
  const ended = (release: string | undefined) =>
    seen.pods.filter(pod => pod.release === release && pod.ended && (pod.readyChangedAt ?? pod.createdAt) >= since);
  const all = ended(record.release);
  const own = all.filter(({ ended: end }) => end && isOwnEnd(end));
  const pressed = all.filter(({ ended: end }) => end && isPressed(end));
  const [first] = own.length >= CRASHES ? own : pressed;
  if (!first?.ended || (own.length < CRASHES && pressed.length < EVICTIONS)) return undefined;
  if (own.length < CRASHES && ended(record.stable).length > 0) return undefined; // the node presses everybody
  const { length } = own.length >= CRASHES ? own : pressed;
  return `${length} pods were evicted since it began to serve (${first.name}: ${first.ended.message || first.ended.reason})`;
}

/** The worker is part of the release. It is replaced with the promotion. */
function workersCrash(seen: Snapshot, record: RolloutRecord): string | undefined {
  if (record.phase === 'Candidate') return undefined;
  const ours = workersOf(seen).filter(({ release }) => release === record.release);
  const looping = ours.filter(({ restarts }) => restarts >= CRASHES);
  const [first] = looping;
  if (!first || looping.length * 2 < ours.length) return undefined;
  return `${looping.length} of ${ours.length} workers crashed since they began to work (${first.name}: ${first.lastExit ?? 'restarted'})`;
}

function besideCrashesToo(seen: Snapshot, record: RolloutRecord): boolean {
  if (stableIsDown(seen) && record.phase === 'Candidate') return true;
  const since = Date.parse(record.since);
  return podsOf(seen, record.stable).some(
    ({ restarts, lastEndedAt = 0 }) => restarts >= CRASHES && lastEndedAt >= since,
  );
}

const hasNewerSpec = ({ wanted }: Snapshot, record: RolloutRecord): boolean =>
  wanted.known && wanted.value.release.hash !== record.release;
