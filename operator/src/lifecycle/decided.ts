// Which decision about a release an action is, in one word: what is counted. Each is counted once, by the pass that makes
// it, and when it is done. When the last of each was made is known for a day, whoever asks then:
//
//   what a record decides      a note in that record, and in those after it
//   released                   the release's verdict; and a note, as another verdict may follow
//   rejected, held, outage     the incident, which stays; so do those of releases that were taken back
import type { Condition } from '../api/conditions.ts';
import { HELD_REASONS, isHeldReason, type Reason } from '../api/reasons.ts';
import type { DecisionNote, RolloutRecord } from '../api/rollout.ts';
import type { AppStatus } from '../api/status.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import type { Action } from './decision.ts';
import { lastRecord } from './release/ownership.ts';
import { REFUSAL_REASONS } from './release/refusal.ts';
import { WITHDRAWAL_REASONS } from './release/withdrawal.ts';
import { iso, type Snapshot, type Verdict, versionIn, versionOf } from './snapshot.ts';

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
      return isRefusal(phase) ? { decision: 'rejected', reason } : undefined;
    }
    case 'annotateRevision':
      return isVerdict(action, 'released') ? { decision: 'released', reason: 'Released' } : undefined;
    default:
      return undefined;
  }
}

// ---- the last of each, for a day

const DAY_MS = 24 * 3_600_000;

export interface DecisionTold extends DecisionNote {
  readonly decision: keyof typeof DECISIONS;
  readonly version: string;
}

type Made = DecisionNote & DecisionMade;

export function lastDecisions(seen: Snapshot): readonly DecisionTold[] {
  const last = lastOf(seen, [...noted(seen), ...released(seen), ...recorded(seen)]);
  return last.map(({ release, ...made }) => ({ ...made, release, version: versionFor(seen, release) }));
}

/** What the record that comes next notes of them. */
export function decisionNotes(
  seen: Snapshot,
  action: Extract<Action, { do: 'setRecord' }>,
): Pick<RolloutRecord, 'decisions'> {
  const made = decisionIn(seen, action);
  const { withdrawn, release, since: at } = action.record;
  const now = made ? [{ ...made, release: withdrawn?.release ?? release, at }] : [];
  const notes = lastOf(seen, [...noted(seen), ...notesOf(action.record), ...released(seen), ...now]).map(
    ({ decision, ...note }) => [decision, note] as const,
  );
  return notes.length > 0 ? { decisions: Object.fromEntries(notes) } : {};
}

/** Where the Deployment was removed, the status remembers its record. */
const noted = (seen: Snapshot): readonly Made[] => notesOf(seen.deployment?.record ?? lastRecord(seen));

/** A later version may have noted what this one does not know. */
const notesOf = (record: RolloutRecord | undefined): readonly Made[] =>
  Object.entries(record?.decisions ?? {}).flatMap(([name, note]) => {
    const decision = isDecision(name) ? name : undefined;
    return decision ? [{ decision, ...note }] : [];
  });

const isDecision = (name: string): name is keyof typeof DECISIONS => Object.hasOwn(DECISIONS, name);

const released = ({ revisions }: Snapshot): readonly Made[] =>
  revisions.flatMap(({ release: { hash: release }, verdict: { verdict, reason, at } }) =>
    verdict === 'released' ? [{ decision: verdict, release, reason, at }] : [],
  );

const KINDS = { held: 'held', outage: 'outage', keys: undefined } as const;

const recorded = ({ incidents = [], standing = [] }: Snapshot): readonly Made[] =>
  [...incidents, ...standing].flatMap(({ kind, phase, release, reason, at }) => {
    const decision = kind ? KINDS[kind] : isRefusal(phase) ? 'rejected' : 'rolled-back';
    return decision ? [{ decision, release, reason, at }] : [];
  });

const isRefusal = (phase: string | undefined): boolean => phase === 'Migration' || phase === 'Rehearsal';

function lastOf({ now }: Snapshot, made: readonly Made[]): readonly Made[] {
  const young = made.filter(({ at }) => now - Date.parse(at) < DAY_MS);
  const inOrder = young.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return [...new Map(inOrder.map(one => [one.decision, one] as const)).values()];
}

/** A release may be forgotten before a day is over, and its incident is not. */
function versionFor(seen: Snapshot, hash: string): string {
  const image = seen.incidents?.find(({ release }) => release === hash)?.failedImage;
  return image === undefined ? versionIn(seen, hash) : versionOf(image);
}

// ---- which one it is

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
