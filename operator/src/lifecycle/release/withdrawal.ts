// How a release is taken out, in one write: the record says that the stable one serves, and why. While only a
// candidate is on trial the serving Deployment stays as it is, and the candidate's own is scaled to nothing.
import type { Decider } from '../../api/incident.ts';
import type { Reason } from '../../api/reasons.ts';
import type { RolloutRecord, VerdictEvidence, Withdrawal } from '../../api/rollout.ts';
import { iso, type Snapshot } from '../snapshot.ts';
import { factsOf } from './incident.ts';

/** Why one is taken out. */
export const WITHDRAWAL_REASONS = [
  'Regression',
  'SlowRegression',
  'OverloadRegression',
  'CandidateFailed',
  'ProgressDeadlineExceeded',
  'Blind',
  'RejectedByHand',
  'WaitingForRollback',
] as const satisfies readonly Reason[];

export type WithdrawalReason = (typeof WITHDRAWAL_REASONS)[number];

export function withdraw(
  seen: Snapshot,
  record: RolloutRecord & { stable: string },
  verdict: Withdrawal['verdict'],
  reason: WithdrawalReason,
  message: string,
  evidence?: VerdictEvidence,
  decidedBy?: Decider,
): RolloutRecord {
  return {
    phase: record.phase === 'Candidate' ? 'RollingBack' : 'RollingBackAll',
    release: record.stable,
    stable: record.stable,
    since: iso(seen.now),
    ...story(seen, record),
    withdrawn: {
      ...{ release: record.release, verdict, reason, message, at: iso(seen.now), ...(evidence && { evidence }) },
      ...(verdict === 'rejected' && {
        facts: { ...factsOf(seen, record, message, evidence), ...(decidedBy && { decidedBy }) },
      }),
    },
  };
}

/** Of one that is stable already the story of its rollout is over. */
const story = ({ now }: Snapshot, { phase, again }: RolloutRecord): Pick<RolloutRecord, 'again'> => {
  if (phase === 'Settled') return { again: iso(now) };
  return again === undefined ? {} : { again };
};

/** Narrow to a record with something to go back to. */
export const hasStable = (record: RolloutRecord | undefined): record is RolloutRecord & { stable: string } =>
  record?.stable !== undefined && record.stable !== record.release;
