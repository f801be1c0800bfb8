// What is written down of a release that is taken back or refused. One record for each try of a release: its name says
// which, so asking twice makes one. Facts are those of the decision, and never put together afterwards.
import {
  INCIDENT_SCHEMA,
  type IncidentFacts,
  type IncidentFigures,
  type IncidentRecord,
  type IncidentSummary,
  type RotationName,
  type StandingKind,
} from '../../api/incident.ts';
import { type RolloutRecord, releaseInForce, type VerdictEvidence, type Withdrawal } from '../../api/rollout.ts';
import type { Action } from '../decision.ts';
import { iso, type Judgement, type Revision, revisionOf, type Snapshot, versionIn } from '../snapshot.ts';

export const attemptOf = (seen: Snapshot, hash: string): number => revisionOf(seen, hash)?.attempt ?? 1;

/** The record of this try; undefined while there is none. */
export const incidentOf = (seen: Snapshot, hash: string): IncidentSummary | undefined =>
  (seen.incidents ?? []).find(known => known.release === hash && known.attempt === attemptOf(seen, hash));

/** What the decision to take back knows. */
export function factsOf(
  seen: Snapshot,
  record: RolloutRecord & { stable: string },
  message: string,
  evidence: VerdictEvidence | undefined,
): IncidentFacts {
  const figures = figuresOf(seen, record.release, evidence);
  const back = versionIn(seen, record.stable);
  const what =
    record.phase === 'Candidate'
      ? `the candidate is scaled to nothing; ${back} serves on`
      : `the Deployment is patched back to ${back}`;
  return {
    phase: record.phase,
    failed: failedOf(seen, record.release),
    ...requestedBy(seen, record.release),
    restored: named(seen, record.stable),
    cause: causeOf(message, evidence),
    ...(figures && { figures }),
    actions: [{ at: iso(seen.now), what }],
  };
}

const named = (seen: Snapshot, hash: string) => ({ hash, image: revisionOf(seen, hash)?.release.image ?? hash });
const failedOf = (seen: Snapshot, hash: string) => ({ ...named(seen, hash), attempt: attemptOf(seen, hash) });

const requestedBy = (seen: Snapshot, hash: string): Pick<IncidentFacts, 'requestedBy'> => {
  const requester = revisionOf(seen, hash)?.requestedBy;
  return requester ? { requestedBy: requester } : {};
};

const causeOf = (message: string, evidence: VerdictEvidence | undefined): IncidentFacts['cause'] => ({
  message,
  ...(evidence && evidence.routes.length > 0 && { routes: evidence.routes }),
});

function figuresOf(
  { judgement, app }: Snapshot,
  release: string,
  evidence: VerdictEvidence | undefined,
): IncidentFigures | undefined {
  if (!judgement || judgement.release !== release) return undefined;
  const { candidate, baseline, startedAt, firstErrorAt, proof } = judgement;
  return {
    ...(startedAt !== undefined && { startedAt: iso(startedAt) }),
    ...(firstErrorAt !== undefined && { firstErrorAt: iso(firstErrorAt) }),
    limit: Number(app.spec.rollout.analysis.maxServerErrorRatio),
    candidate: groupOf(candidate),
    baseline: groupOf(baseline),
    ...(evidence && { evidence: { absolute: evidence.absolute, relative: evidence.relative, ...proof } }),
  };
}

const groupOf = ({
  requests,
  errors,
  shed,
  slow,
  pods,
  restarts,
  p95Ms,
}: Judgement['candidate']): IncidentFigures['candidate'] => ({
  requests,
  errors,
  ...(shed !== undefined && { shed }),
  ...(slow !== undefined && { slow }),
  ...(pods !== undefined && { pods }),
  ...(restarts !== undefined && { restarts }),
  ...(p95Ms !== undefined && { p95Ms }),
});

/** Of a release that was withdrawn. One that an earlier version of the operator withdrew has no facts but these. */
export function withdrawnIncident(seen: Snapshot, withdrawn: Withdrawal): Action {
  const { release, message, reason, at, facts } = withdrawn;
  const { record } = seen.deployment ?? {};
  const known: IncidentFacts = facts ?? {
    phase: record?.phase ?? 'Settled',
    failed: failedOf(seen, release),
    ...(record && { restored: named(seen, record.release) }),
    cause: { message },
    actions: [],
  };
  const { decidedBy = { who: 'operator' } } = known;
  return made(seen, { ...known, schema: INCIDENT_SCHEMA, reason, at, decidedBy });
}

/** Of a release that is refused before any of its pods serves. */
export function refusedIncident(
  seen: Snapshot,
  { release: { hash } }: Revision,
  {
    phase,
    reason,
    message,
    at,
    evidence,
  }: Pick<IncidentRecord, 'phase' | 'reason' | 'at'> & {
    readonly message: string;
    readonly evidence?: VerdictEvidence | undefined;
  },
): Action {
  const serving = seen.deployment && releaseInForce(seen.deployment.record);
  return made(seen, {
    ...{ schema: INCIDENT_SCHEMA, reason, at, decidedBy: { who: 'operator' }, phase },
    failed: failedOf(seen, hash),
    ...requestedBy(seen, hash),
    ...(serving !== undefined && { restored: named(seen, serving) }),
    cause: causeOf(message, evidence),
    actions: [],
  });
}

/** Of a rotation that cannot go on: the release that serves is not to blame, and stays where it is. */
export function heldRotation(seen: Snapshot, rotation: RotationName, reason: string, message: string): Action {
  const { phase = 'Settled' } = seen.deployment?.record ?? {};
  const serving = seen.deployment ? releaseInForce(seen.deployment.record) : '';
  return made(seen, {
    ...{ schema: INCIDENT_SCHEMA, kind: 'keys', reason, at: iso(seen.now), phase },
    decidedBy: { who: 'operator' },
    failed: failedOf(seen, serving),
    restored: named(seen, serving),
    rotation,
    cause: { message },
    actions: [],
  });
}

/** Of what did not end yet: `hash` stays where it is. */
export function standingIncident(
  seen: Snapshot,
  hash: string,
  { kind, reason, message }: { readonly kind: StandingKind; readonly reason: string; readonly message: string },
): Action {
  const { phase = 'Settled', stable, asked, heldBy } = seen.deployment?.record ?? {};
  const figures = figuresOf(seen, hash, seen.judgement?.evidence);
  const text = heldBy === undefined ? undefined : asked?.hold?.request;
  return made(seen, {
    ...{ schema: INCIDENT_SCHEMA, kind, reason, at: iso(seen.now), phase },
    decidedBy: text === undefined ? { who: 'operator' } : { who: 'person', text },
    failed: failedOf(seen, hash),
    ...requestedBy(seen, hash),
    ...(stable !== undefined && stable !== hash && { restored: named(seen, stable) }),
    cause: { message },
    ...(figures && { figures }),
    actions: [],
  });
}

const made = (seen: Snapshot, record: IncidentRecord): Action => ({
  do: 'createIncident',
  record,
  revision: nextNumber(seen),
});

/** Releases and incidents are counted together. */
export const nextNumber = ({
  revisions,
  incidents = [],
  standing = [],
}: Pick<Snapshot, 'revisions' | 'incidents' | 'standing'>): number =>
  1 + Math.max(0, ...[...revisions, ...incidents, ...standing].map(({ number }) => number));
