// How a release is taken out, in one write: the Deployment's template goes back to stable, and why is in the record.
import type { Reason } from '../api/reasons.ts';
import type { RolloutRecord, Withdrawal } from '../api/rollout.ts';
import { iso, podsOf, type Snapshot } from './snapshot.ts';

/**
 * The record that brings the stable release back. While only a canary serves, as many pods may be missing as there
 * are candidates, so that they leave at once and no stable pod has to start first; after the promotion began, all
 * stable pods start at once.
 */
export function withdraw(
  seen: Snapshot,
  record: RolloutRecord & { stable: string },
  verdict: Withdrawal['verdict'],
  reason: Reason,
  message: string,
): RolloutRecord {
  const onlyCanary = record.phase === 'Candidate';
  return {
    phase: onlyCanary ? 'RollingBack' : 'RollingBackAll',
    release: record.stable,
    stable: record.stable,
    since: iso(seen.now),
    ...(onlyCanary && { candidatePods: Math.max(1, podsOf(seen, record.release).length) }),
    withdrawn: { release: record.release, verdict, reason, message, at: iso(seen.now) },
  };
}

/** Narrow to a record with something to go back to. */
export const hasStable = (record: RolloutRecord | undefined): record is RolloutRecord & { stable: string } =>
  record?.stable !== undefined && record.stable !== record.release;
