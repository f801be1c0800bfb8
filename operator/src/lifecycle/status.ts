// The status: a projection of what the cluster holds. Deleted, it comes back the same (but for times of change).
import type { Condition } from '../api/conditions.ts';
import { mergeConditions } from '../api/conditions.ts';
import type { AppStatus, Incident, KeyStatus, ReleaseStatus } from '../api/status.ts';
import { LABELS, names, SERVING } from '../objects/names.ts';
import { clockOf } from './key-requests.ts';
import type { Plan } from './plan.ts';
import { hasNewRelease, inPhase, iso, type Revision, revisionOf, type Snapshot } from './snapshot.ts';

const INCIDENTS = 10;
const RUNBOOK = 'docs/reasons.md#';

/** The whole status of this pass. Fields that are not in it are gone from the stored one. */
export function statusOf(seen: Snapshot, plan: Pick<Plan, 'conditions'>): AppStatus {
  const { app, deployment } = seen;
  const { name, namespace, generation } = app.metadata;
  const current = revisionOf(seen, servingHash(seen));
  const migration = seen.revisions.findLast(revision => revision.migration)?.migration;
  return {
    observedGeneration: generation,
    phase: phaseOf(seen, plan.conditions),
    replicas: deployment?.replicas ?? 0,
    readyReplicas: deployment?.readyReplicas ?? 0,
    updatedReplicas: deployment?.updatedReplicas ?? 0,
    selector: `${LABELS.instance}=${name},${LABELS.role}=${SERVING}`,
    ...(current && { currentImage: current.release.image }),
    url: `http://${names.service(name)}.${namespace}.svc:${app.spec.service.port}`,
    rollout: rolloutOf(seen),
    ...analysisOf(seen),
    ...(migration && {
      migration: {
        id: migration.id,
        jobName: migration.jobName,
        result: migration.result,
        applied: [...migration.applied],
        finishedAt: migration.finishedAt,
      },
    }),
    keys: keysOf(seen),
    incidents: incidentsOf(seen),
    conditions: mergeConditions(app.status.conditions ?? [], plan.conditions, iso(seen.now), generation),
  };
}

function servingHash({ deployment }: Snapshot): string | undefined {
  const record = deployment?.record;
  return record?.phase === 'Candidate' ? record.stable : record?.release;
}

/** One word for people: the stage that is under way, or how it ended. */
function phaseOf(seen: Snapshot, conditions: readonly Condition[]): string {
  if (conditions.some(({ type }) => type === 'Stalled')) return 'Failed';
  const phase = seen.deployment?.record.phase;
  if (phase === 'RollingBack' || phase === 'RollingBackAll') return 'RollingBack';
  if (phase === 'Settled' || phase === 'Baking') {
    if (!hasNewRelease(seen)) return phase === 'Settled' ? 'Released' : 'Baking';
    return preparing(conditions);
  }
  return phase ?? preparing(conditions);
}

function preparing(conditions: readonly Condition[]): string {
  const types = new Set(conditions.map(({ type }) => type));
  if (types.has('AnalysisPassed')) return 'Rehearsal';
  if (types.has('Migrated')) return 'Migration';
  return 'Pending';
}

function rolloutOf(seen: Snapshot): NonNullable<AppStatus['rollout']> {
  const record = seen.deployment?.record;
  const stable = revisionOf(seen, record?.stable ?? record?.release);
  const tried = inPhase(seen, 'Candidate', 'Promoting', 'Baking') ? revisionOf(seen, record?.release) : undefined;
  const rejected = seen.revisions.findLast(({ verdict }) => verdict.verdict === 'rejected');
  const since = record?.since;
  return {
    ...(stable && { stable: describe(stable, undefined) }),
    ...(tried && tried !== stable && { candidate: describe(tried, since) }),
    ...(rejected && {
      rejected: {
        ...describe(rejected, rejected.verdict.at),
        reason: rejected.verdict.reason,
        evidence: rejected.verdict.message,
      },
    }),
  };
}

const describe = ({ release, name }: Revision, since: string | undefined): ReleaseStatus => ({
  hash: release.hash,
  image: release.image,
  revisionName: name,
  ...(since && { since }),
});

/** Figures are written with a verdict, not with every reading: a status that changes every second is no status. */
function analysisOf({ judgement, app, now }: Snapshot): Pick<AppStatus, 'analysis'> {
  if (!judgement || judgement.verdict === 'Pending') return {};
  const { verdict, release, candidate, baseline } = judgement;
  const before = app.status.analysis;
  if (before?.verdict === verdict && before.release === release) return { analysis: before };
  return {
    analysis: { verdict, release, candidate: { ...candidate }, baseline: { ...baseline }, decidedAt: iso(now) },
  };
}

const keysOf = (seen: Snapshot): KeyStatus[] =>
  seen.keys
    .filter(({ keyringPresent, foreign }) => keyringPresent && !foreign)
    .map(key => {
      const { name, keyring, record } = key;
      const { state = 'Idle', current, to, mode, request, previousUntil, lastRotationTime } = record ?? {};
      const clock = clockOf(seen.app, key, seen.now);
      return {
        name,
        secret: keyring,
        state,
        ...(current !== undefined && { currentKeyId: current }),
        ...(to !== undefined && to !== current && { nextKeyId: to }),
        ...(mode !== undefined && { mode }),
        ...(request !== undefined && { request }),
        ...(previousUntil !== undefined && { previousUntil }),
        ...(lastRotationTime !== undefined && { lastRotationTime }),
        ...(clock.kind === 'at' && { nextRotationTime: iso(clock.plannedAt) }),
      };
    });

function incidentsOf({ revisions }: Snapshot): Incident[] {
  return revisions
    .filter(({ verdict }) => verdict.verdict === 'rejected')
    .sort((a, b) => b.verdict.at.localeCompare(a.verdict.at))
    .slice(0, INCIDENTS)
    .map(({ verdict, release }) => ({
      at: verdict.at,
      reason: verdict.reason,
      failedImage: release.image,
      ...restored(revisions, verdict.at),
      evidence: verdict.message,
      runbookURL: `${RUNBOOK}${verdict.reason.toLowerCase()}`,
    }));
}

/** The release that had been found good last by then is the one that served on. */
function restored(revisions: readonly Revision[], at: string): Pick<Incident, 'restoredImage'> {
  const [last] = revisions
    .filter(({ verdict }) => verdict.verdict === 'released' && verdict.at <= at)
    .sort((a, b) => b.verdict.at.localeCompare(a.verdict.at));
  return last ? { restoredImage: last.release.image } : {};
}
