// The status: a projection of what the cluster holds. Deleted, it comes back the same (but for times of change, and for
// the figures of a trial that went well).
import type { Condition } from '../api/conditions.ts';
import { mergeConditions } from '../api/conditions.ts';
import type { IncidentSummary } from '../api/incident.ts';
import type { Reason } from '../api/reasons.ts';
import type { AppResource } from '../api/resource.ts';
import { formatRecord, GATES, type RolloutRecord, releaseInForce } from '../api/rollout.ts';
import type { AppStatus, Incident, KeyStatus, ReleaseStatus } from '../api/status.ts';
import { LABELS, names, SERVING } from '../objects/names.ts';
import { analysisOf } from './analysis-status.ts';
import { publicUrls } from './around/exposed.ts';
import { needsUses, toldUses } from './keys/draining.ts';
import { clockOf, revokedKeys, writtenDigest } from './keys/key-requests.ts';
import type { Plan } from './plan.ts';
import { lastRecord } from './release/ownership.ts';
import {
  hasNewRelease,
  inPhase,
  iso,
  type KeyView,
  type MigrationResult,
  type Revision,
  revisionOf,
  type Snapshot,
} from './snapshot.ts';
import { stageOf } from './stage-status.ts';
import { traceIdOf } from './traces.ts';

const INCIDENTS = 10;

/**
 * The whole status of this pass. Fields that are not in it are gone from the stored one.
 * @param docsUrl where the pages of docs/ are; without it no incident names a page
 */
export function statusOf(seen: Snapshot, plan: Pick<Plan, 'conditions'>, docsUrl?: string): AppStatus {
  const { app, deployment } = seen;
  const { name, namespace, generation } = app.metadata;
  const current = revisionOf(seen, servingHash(seen));
  const migration = seen.revisions.findLast(revision => revision.migration)?.migration;
  return {
    observedGeneration: generation,
    phase: phaseOf(seen, plan.conditions),
    stage: stageOf(seen, plan.conditions),
    replicas: deployment?.replicas ?? 0,
    readyReplicas: deployment?.readyReplicas ?? 0,
    updatedReplicas: deployment?.updatedReplicas ?? 0,
    selector: `${LABELS.instance}=${name},${LABELS.role}=${SERVING}`,
    ...(current && { currentImage: current.release.image }),
    url: `http://${names.service(name)}.${namespace}.svc:${app.spec.service.port}`,
    ...publicOf(seen),
    rollout: rolloutOf(seen),
    ...analysisOf(seen),
    ...(migration && { migration: migrationOf(migration) }),
    keys: keysOf(seen),
    ...requestsOf(seen),
    incidents: incidentsOf(seen, docsUrl),
    conditions: mergeConditions(app.status.conditions ?? [], plan.conditions, iso(seen.now), generation),
  };
}

function publicOf(seen: Snapshot): Pick<AppStatus, 'publicURLs'> {
  const publicURLs = [...publicUrls(seen)];
  return publicURLs.length > 0 ? { publicURLs } : {};
}

function migrationOf(known: MigrationResult): NonNullable<AppStatus['migration']> {
  const { id, jobName, result, applied, withheld, contracted, irreversible, backup, finishedAt } = known;
  return {
    ...{ id, jobName, result, applied: [...applied], finishedAt },
    ...(withheld && withheld.length > 0 && { withheld: withheld.map(one => ({ ...one })) }),
    ...(contracted && contracted.length > 0 && { contracted: [...contracted] }),
    ...(irreversible && irreversible.length > 0 && { irreversible: [...irreversible] }),
    ...(backup !== undefined && { backup }),
  };
}

const servingHash = ({ deployment }: Snapshot): string | undefined => deployment && releaseInForce(deployment.record);

/** One word for people: the stage that is under way, or how it ended. */
function phaseOf(seen: Snapshot, conditions: readonly Condition[]): string {
  if (conditions.some(isGivenUp)) return 'Failed';
  const phase = seen.deployment?.record.phase;
  if (phase === 'RollingBack' || phase === 'RollingBackAll') return 'RollingBack';
  if (phase === 'Settled' || phase === 'Baking') {
    if (hasNewRelease(seen)) return preparing(conditions);
    if (phase === 'Baking') return phase;
    return isRejectedAsFarAsKnown(seen) ? 'Failed' : 'Released';
  }
  return phase ?? preparing(conditions);
}

/** What the spec asks for cannot be told while a Secret is missing, say; the last one of its image was rejected. */
function isRejectedAsFarAsKnown({ wanted, revisions, app }: Snapshot): boolean {
  const last = revisions.at(-1);
  return !wanted.known && last?.verdict.verdict === 'rejected' && last.release.image === app.spec.image;
}

/** What goes on as soon as somebody gives it what it waits for: a person is called, and nothing is given up. */
const WAITS: readonly Reason[] = [
  ...(['InsufficientTraffic', 'Blind', 'MigrationPending'] as const),
  ...(['SecretMissing', 'SecretKeyMissing', 'ConfigMapMissing', 'ConfigMapKeyMissing', 'InvalidDatabaseURL'] as const),
];

const isGivenUp = ({ type, status, reason }: Condition): boolean =>
  type === 'Stalled' && status === 'True' && !WAITS.some(known => known === reason);

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
  const newest = newestRecord(seen);
  return {
    ...(newest && { record: formatRecord(newest) }),
    ...(stable && { stable: describe(stable, undefined) }),
    ...(tried && tried !== stable && { candidate: { ...describe(tried, since), ...traceOf(seen, tried) } }),
    ...(rejected && {
      rejected: {
        ...describe(rejected, rejected.verdict.at),
        reason: rejected.verdict.reason,
        evidence: rejected.verdict.message,
      },
    }),
  };
}

const traceOf = ({ app, deployment, isTraced }: Snapshot, revision: Revision): { traceID?: string } =>
  isTraced ? { traceID: traceIdOf({ app, revision, again: deployment?.record.again }) } : {};

/** An older one that came back does not displace it. */
function newestRecord(seen: Snapshot): RolloutRecord | undefined {
  const [seenNow, remembered] = [seen.deployment?.record, lastRecord(seen)];
  if (seenNow?.write === undefined) return remembered;
  return (remembered?.write ?? 0) > seenNow.write ? remembered : seenNow;
}

function requestsOf(seen: Snapshot): Pick<AppStatus, 'requests'> {
  const asked = newestRecord(seen)?.asked ?? {};
  const requests = GATES.flatMap(name => {
    const known = asked[name];
    return known ? [{ name, ...known }] : [];
  });
  return requests.length > 0 ? { requests } : {};
}

const describe = ({ release, name }: Revision, since: string | undefined): ReleaseStatus => ({
  hash: release.hash,
  image: release.image,
  revisionName: name,
  ...(since && { since }),
});

const REVOKED_SHOWN = 10;

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
        ...digestOf(seen.app, key),
        ...revokedOf(seen.app, key),
        ...usesOf(seen.app, key),
        ...(clock.kind === 'at' && { nextRotationTime: iso(clock.plannedAt) }),
      };
    });

/** Of the key that callers were given: what was written, and not what somebody may have made of it since. */
function digestOf(app: AppResource, { client, name, record, content }: KeyView): Pick<KeyStatus, 'currentKeyDigest'> {
  if (client === undefined || !record) return {};
  const { current } = record;
  const there = content?.known ? content.value?.digests[current] : undefined;
  const digest = writtenDigest(app, name, record, current) ?? there;
  return digest === undefined ? {} : { currentKeyDigest: digest };
}

/** The newest of what the record knows and of what was known before: a record may be lost with its keyring. */
function revokedOf(app: AppResource, { name, record }: KeyView): Pick<KeyStatus, 'revoked'> {
  const known = revokedKeys(app, name, record).slice(-REVOKED_SHOWN);
  return known.length === 0 ? {} : { revoked: known.map(({ id, digest }) => ({ id, digest })) };
}

/** Before this process has asked the pods, what an earlier one has counted stands: it is gone on from. */
function usesOf(app: AppResource, key: KeyView): Partial<KeyStatus> {
  const { uses } = key;
  if (!uses) return (needsUses(app, key) && toldUses(app, key)) || {};
  if (uses.uncounted) return {};
  const { total, perMinute, usedAt, sum } = uses;
  return {
    previousUses: total,
    previousUsePerMinute: perMinute,
    previousUsedAt: iso(usedAt),
    previousCounters: sum,
  };
}

/**
 * The records, and what has none: of a resource that an earlier version managed, and what its status told before. An
 * incident stays told when its release is tried again, or is long past.
 */
function incidentsOf({ revisions, incidents: records = [], app }: Snapshot, docsUrl: string | undefined): Incident[] {
  const written = records.map(record => incidentFrom(record, docsUrl));
  const unwritten = revisions
    .filter(({ verdict }) => verdict.verdict === 'rejected')
    .map(({ verdict, release }): Incident => {
      const { at, reason, message } = verdict;
      return { at, reason, failedImage: release.image, evidence: message, ...runbookOf(reason, docsUrl) };
    });
  const before = (app.status.incidents ?? []).filter(({ record }) => record === undefined);
  const all = [unwritten, before].reduce<readonly Incident[]>(withNew, written);
  return [...all].sort((a, b) => (a.at < b.at ? 1 : -1)).slice(0, INCIDENTS);
}

/** The first that is told of one is the best. */
const withNew = (known: readonly Incident[], more: readonly Incident[]): readonly Incident[] => [
  ...known,
  ...more.filter(one => !known.some(({ at, failedImage }) => at === one.at && failedImage === one.failedImage)),
];

const incidentFrom = (record: IncidentSummary, docsUrl: string | undefined): Incident => ({
  at: record.at,
  reason: record.reason,
  failedImage: record.failedImage,
  ...(record.restoredImage !== undefined && { restoredImage: record.restoredImage }),
  evidence: record.message,
  ...runbookOf(record.reason, docsUrl),
  record: record.name,
});

const runbookOf = (reason: string, docsUrl: string | undefined): Pick<Incident, 'runbookURL'> =>
  docsUrl === undefined ? {} : { runbookURL: `${docsUrl.replace(/\/+$/, '')}/reasons.md#${reason.toLowerCase()}` };
