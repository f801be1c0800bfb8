// Which decision about a release an action is, in one word: what is counted. Each is counted once, by the pass that makes
// it, and when it is done.
import type { Condition } from '../api/conditions.ts';
import { HELD_REASONS, isHeldReason, type Reason } from '../api/reasons.ts';
import type { AppStatus } from '../api/status.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import type { Action } from './decision.ts';
import { REFUSAL_REASONS } from './release/refusal.ts';
import { WITHDRAWAL_REASONS } from './release/withdrawal.ts';
import { iso, type Snapshot, type Verdict } from './snapshot.ts';

/** Every decision, with all the reasons that it may have. */
export const DECISIONS = {
  /** It meets its first users. */
  candidate: ['CandidateStarting'],
  /** On proof. */
  promoted: ['AnalysisPassed'],
  /** Without: the spec says so (onInsufficientTraffic, onBlind, policy). */
  'promoted-unproven': ['InsufficientTraffic', 'Blind', 'AnalysisDisabled', 'Held'],
  released: ['Released'],
  /** Before it served anybody. */
  rejected: REFUSAL_REASONS,
  'rolled-back': WITHDRAWAL_REASONS.filter(reason => reason !== 'WaitingForRollback'),
  superseded: ['WaitingForRollback'],
  /** A person is waited for. */
  held: HELD_REASONS,
  /** Of what all pods share, for longer than a minute: nobody is blamed. */
  outage: ['DependencyDegraded'],
} as const satisfies Record<string, readonly Reason[]>;

export type DecisionMade = { readonly decision: keyof typeof DECISIONS; readonly reason: string };

export function decisionIn(seen: Snapshot, action: Action): DecisionMade | undefined {
  switch (action.do) {
    case 'setRecord':
      return rollout(seen, action);
    case 'createIncident': {
      const { kind, phase, reason } = action.record;
      if (kind === 'held') return undefined; // when a person was called
      if (kind === 'keys') return undefined; // no decision about a release
      if (kind === 'outage') return { decision: 'outage', reason };
      return phase === 'Migration' || phase === 'Rehearsal' ? { decision: 'rejected', reason } : undefined;
    }
    case 'annotateRevision':
      return isVerdict(action, 'released') ? { decision: 'released', reason: 'Released' } : undefined;
    default:
      return undefined;
  }
}

/** Whether the verdict that is written is this one. */
export const isVerdict = ({ set }: Extract<Action, { do: 'annotateRevision' }>, verdict: Verdict): boolean =>
  set[ANNOTATIONS.verdict]?.includes(`"verdict":"${verdict}"`) === true;

/** A record that is only written again is as old as it was. */
function rollout(seen: Snapshot, { record }: Extract<Action, { do: 'setRecord' }>): DecisionMade | undefined {
  const { phase, since, withdrawn, byHand } = record;
  const isNew = since === iso(seen.now) && phase !== seen.deployment?.record.phase;
  if (!isNew) return undefined;
  if (phase.startsWith('RollingBack') && withdrawn)
    return { decision: withdrawn.verdict === 'rejected' ? 'rolled-back' : 'superseded', reason: withdrawn.reason };
  if (phase === 'Candidate') return { decision: 'candidate', reason: 'CandidateStarting' };
  return phase === 'Promoting' ? promoted(seen, byHand !== undefined) : undefined;
}

function promoted({ judgement, deployment }: Snapshot, isByHand: boolean): DecisionMade {
  const unproven = (reason: Reason): DecisionMade => ({ decision: 'promoted-unproven', reason });
  const isHeld = judgement?.verdict === 'Bad' || deployment?.record.heldBy !== undefined;
  if (isByHand && isHeld) return unproven('Held');
  if (!judgement) return unproven('AnalysisDisabled');
  if (judgement.verdict === 'Insufficient') return unproven('InsufficientTraffic');
  return judgement.verdict === 'Blind' ? unproven('Blind') : { decision: 'promoted', reason: 'AnalysisPassed' };
}

/** A person is called for a release that is held, and was not before. */
export function heldIn({ conditions: before = [] }: AppStatus, now: readonly Condition[]): DecisionMade | undefined {
  const held = now.find(isHold);
  if (!held || before.some(known => isHold(known) && known.reason === held.reason)) return undefined;
  return { decision: 'held', reason: held.reason };
}

type Said = { readonly type: string; readonly status: string; readonly reason: string };

const isHold = ({ type, status, reason }: Said): boolean =>
  type === 'Stalled' && status === 'True' && isHeldReason(reason);
