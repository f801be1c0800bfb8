// Beside the stages: what waits for a person, and an outage of everybody that lasts, is written down while it stands.
// One record for each kind and try of a release; it is told first (status, event), then written.
import type { StandingKind } from '../../api/incident.ts';
import { isHeldReason } from '../../api/reasons.ts';
import { about, type Decision } from '../decision.ts';
import { inPhase, type Snapshot, versionIn } from '../snapshot.ts';
import { attemptOf, standingIncident } from './incident.ts';

const { act } = about('AnalysisPassed');

/** What does not end within it is no hiccup. */
const OUTAGE_MS = 60_000;

/** `answer`: what the pass says of the release. */
export function standing(seen: Snapshot, answer: Decision | undefined): Decision | undefined {
  const hash = seen.deployment?.record.release;
  if (!answer || hash === undefined || !inPhase(seen, 'Candidate', 'Promoting', 'Baking')) return undefined;
  const kind = kindOf(seen, answer);
  if (kind === undefined || !isTold(seen, answer) || isWritten(seen, hash, kind)) return undefined;
  const { reason, message } = answer.condition;
  const what = kind === 'held' ? 'is held' : 'waits for what all of them share';
  const words = `it is written down that ${versionIn(seen, hash)} ${what}`;
  return act(reason, words, standingIncident(seen, hash, { kind, reason, message }));
}

function kindOf({ judgement, now }: Snapshot, { kind, condition }: Decision): StandingKind | undefined {
  if (kind !== 'wait' && kind !== 'fail') return undefined;
  if (isHeldReason(condition.reason)) return 'held';
  const lasts = judgement?.since !== undefined && now - judgement.since > OUTAGE_MS;
  return condition.reason === 'DependencyDegraded' && judgement?.verdict === 'DependencyDegraded' && lasts
    ? 'outage'
    : undefined;
}

/** The status says so already: whoever is told of it by an event was told. */
const isTold = ({ app }: Snapshot, { condition: { type, reason } }: Decision): boolean =>
  (app.status?.conditions ?? []).some(known => known.type === type && known.reason === reason);

const isWritten = (seen: Snapshot, hash: string, kind: StandingKind): boolean =>
  (seen.standing ?? []).some(
    known => known.kind === kind && known.release === hash && known.attempt === attemptOf(seen, hash),
  );
