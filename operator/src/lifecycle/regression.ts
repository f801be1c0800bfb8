// Runbook, "Rollback rápido": a sudden rise of 5xx after a deployment. Comes before every stage and before pause.
// Only `Bad` is a verdict on the release; a fault that the pods beside it share is not.
import type { RolloutRecord } from '../api/rollout.ts';
import { about, type Decision, type Interrupt } from './decision.ts';
import { inPhase, podsOf, revisionOf, type Snapshot, stableIsDown, versionOf } from './snapshot.ts';
import { hasStable, withdraw } from './withdrawal.ts';

const { act, fail } = about('AnalysisPassed');

/** A container that ended twice since it began to serve is not getting better by itself. */
const CRASHES = 2;

export const regression: Interrupt = seen => {
  const record = seen.deployment?.record;
  if (!record || !inPhase(seen, 'Installing', 'Candidate', 'Promoting', 'Baking')) return undefined;
  const fault = answersWithErrors(seen, record) ?? crashes(seen, record);
  if (fault === undefined) return undefined;
  return answer(seen, record, fault);
};

function answer(seen: Snapshot, record: RolloutRecord, fault: string): Decision | undefined {
  const { policy } = seen.app.spec.rollout.analysis;
  const failed = versionOf(revisionOf(seen, record.release)?.release.image ?? record.release);
  const message = `${failed}: ${fault}`;
  if (!hasStable(record)) {
    // a newer spec may already be the remedy: nothing is in its way
    if (hasNewerSpec(seen, record)) return undefined;
    return fail(
      'FirstReleaseFailed',
      `${message}; there is no earlier release to go back to, so nothing was changed: fix the image or the configuration and apply it`,
    );
  }
  if (policy === 'Observe' || policy === 'Disabled') return undefined;
  // a newer spec is the decision that Hold waits for: the bad release goes, then the newest begins
  if (policy === 'Hold' && !hasNewerSpec(seen, record))
    return fail('Held', `${message}; analysis.policy is Hold: apply the earlier spec to go back, or a new one`);
  const back = versionOf(revisionOf(seen, record.stable)?.release.image ?? record.stable);
  return act(
    'RolledBack',
    `${message}; ${back} serves again; apply a new spec, or change spec.rollout.retryToken to try ${failed} again`,
    { do: 'setRecord', record: withdraw(seen, record, 'rejected', 'Regression', message) },
    'Warning',
  );
}

function answersWithErrors({ judgement }: Snapshot, record: RolloutRecord): string | undefined {
  return judgement?.verdict === 'Bad' && judgement.release === record.release ? judgement.message : undefined;
}

function crashes(seen: Snapshot, record: RolloutRecord): string | undefined {
  if (record.phase === 'Installing') return undefined; // promotion tells of a first install that cannot start
  if (seen.judgement?.verdict === 'DependencyDegraded') return undefined; // what the releases share is at fault
  const pods = podsOf(seen, record.release);
  const crashing = pods.filter(pod => pod.restarts >= CRASHES || pod.lastExit === 'OOMKilled');
  if (crashing.length === 0 || crashing.length * 2 < pods.length) return undefined;
  if (besideCrashesToo(seen, record)) return undefined;
  const [first] = crashing;
  return `${crashing.length} of ${pods.length} pods crashed since they began to serve (${first?.name}: ${first?.lastExit ?? 'restarted'})`;
}

function besideCrashesToo(seen: Snapshot, record: RolloutRecord): boolean {
  if (stableIsDown(seen) && record.phase === 'Candidate') return true;
  const beside = podsOf(seen, record.stable);
  return beside.some(pod => pod.restarts >= CRASHES);
}

const hasNewerSpec = ({ wanted }: Snapshot, record: RolloutRecord): boolean =>
  wanted.known && wanted.value.release.hash !== record.release;
