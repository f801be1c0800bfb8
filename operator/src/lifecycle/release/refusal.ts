// A release is refused before any of its pods serves: the incident is written down first, then the verdict, which is as
// old as the incident. Killed in between, the next pass finds the first and goes on with the second.
import type { Reason } from '../../api/reasons.ts';
import type { VerdictEvidence } from '../../api/rollout.ts';
import { about, type Decision } from '../decision.ts';
import { iso, type Revision, type Snapshot } from '../snapshot.ts';
import { incidentOf, refusedIncident } from './incident.ts';
import { verdictAnnotations } from './verdict.ts';

const TYPES = { Migration: about('Migrated'), Rehearsal: about('AnalysisPassed') } as const;

/** Why a release is refused before any of its pods serves. */
export const REFUSAL_REASONS = [
  'JobFailed',
  'DeadlineExceeded',
  'FalseSuccess',
  'MigrationInterrupted',
  'MigrationEdited',
  'BackupFailed',
  'RehearsalFailed',
  'SmokeTestFailed',
  'ProgressDeadlineExceeded',
] as const satisfies readonly Reason[];

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export interface RefusalCause {
  readonly phase: keyof typeof TYPES;
  readonly reason: RefusalReason;
  readonly message: string;
  readonly evidence?: VerdictEvidence;
  /** Annotations that are written with the verdict. */
  readonly more?: Readonly<Record<string, string>>;
}

export function refused(seen: Snapshot, revision: Revision, cause: RefusalCause): Decision {
  const { phase, reason, message, more, evidence } = cause;
  const { act } = TYPES[phase];
  const known = incidentOf(seen, revision.release.hash);
  if (!known) {
    const at = iso(seen.now);
    return act(reason, message, refusedIncident(seen, revision, { phase, reason, message, at, evidence }), 'Warning');
  }
  const verdict = {
    verdict: 'rejected',
    reason,
    message: known.message,
    at: known.at,
    ...(evidence && { evidence }),
  } as const;
  const set = { ...verdictAnnotations(verdict, seen.app.spec.rollout.retryToken), ...more };
  return act(reason, message, { do: 'annotateRevision', revision: revision.name, set });
}
