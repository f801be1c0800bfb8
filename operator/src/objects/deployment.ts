// The serving Deployment in each phase of a rollout. The Deployment controller gives minReadySeconds only to the new
// ReplicaSet: a very long one lets the first pods of a candidate serve and holds everything else where it is.
import type { Phase, PodTemplate, Release, RolloutRecord } from '../api/rollout.ts';
import { formatRecord } from '../api/rollout.ts';
import { type App, childLabels, childMeta, instanceLabels, type KubeObject, servingLabels } from './app.ts';
import { ANNOTATIONS, COMPONENTS, LABELS, names } from './names.ts';

/** Longest hold that the API server accepts (int32, and less than the deadline): a shorter one would end by itself. */
const HOLD_SECONDS = 2_147_483_646;
const NO_DEADLINE_SECONDS = 2_147_483_647;

/** Rollbacks re-apply a stored template, so old ReplicaSets serve only people who look. */
const REVISION_HISTORY_LIMIT = 2;

interface Pace {
  readonly minReadySeconds: number;
  readonly progressDeadlineSeconds: number;
  readonly maxSurge: number | string;
  readonly maxUnavailable: number | string;
}

type Paced = (app: App, record: RolloutRecord) => Pace;

/**
 * A stable ReplicaSet that was created with the long hold would count as unavailable, and a rollback would then remove
 * nothing: every phase but Candidate writes the normal value.
 */
const steady: Paced = app => {
  const { minReadySeconds, progressDeadlineSeconds } = app.spec.rollout;
  return {
    minReadySeconds,
    // the API server refuses a deadline that is not longer than the wait
    progressDeadlineSeconds: Math.max(progressDeadlineSeconds, minReadySeconds + 1),
    maxSurge: '25%', // rounded up: at least one
    maxUnavailable: 0,
  };
};

const hold: Paced = app => ({
  minReadySeconds: HOLD_SECONDS,
  progressDeadlineSeconds: NO_DEADLINE_SECONDS,
  maxSurge: app.spec.rollout.canaryReplicas,
  maxUnavailable: 0,
});

/** As many may be missing as there are candidates: they go at once, and no stable pod has to start before the last. */
const backFromCandidate: Paced = (app, record) => ({
  ...steady(app, record),
  maxSurge: app.spec.rollout.canaryReplicas,
  maxUnavailable: record.candidatePods ?? app.spec.rollout.canaryReplicas,
});

/** All stable pods start at once, and each bad one goes as soon as one of them is ready. */
const backFromAll: Paced = (app, record) => ({ ...steady(app, record), minReadySeconds: 0, maxSurge: '100%' });

const PACES: Readonly<Record<Phase, Paced>> = {
  Installing: steady,
  Candidate: hold,
  Promoting: steady,
  Baking: steady,
  Settled: steady,
  RollingBack: backFromCandidate,
  RollingBackAll: backFromAll,
};

/**
 * Record, template and pace in one object, so that one write decides and acts. The number of replicas is not here: it
 * belongs to a second field manager, or to the autoscaler.
 * @param release the one that `record.release` names
 */
export function deployment(app: App, record: RolloutRecord, release: Release): KubeObject {
  const { minReadySeconds, progressDeadlineSeconds, maxSurge, maxUnavailable } = PACES[record.phase](app, record);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      ...childMeta(app, names.deployment(app.metadata.name), {
        ...childLabels(app, COMPONENTS.server),
        [LABELS.release]: release.hash,
      }),
      annotations: { [ANNOTATIONS.rollout]: formatRecord(record) },
    },
    spec: {
      selector: { matchLabels: servingLabels(app) },
      minReadySeconds,
      progressDeadlineSeconds,
      revisionHistoryLimit: REVISION_HISTORY_LIMIT,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
      template: release.template,
    },
  };
}

/** What the second field manager applies; undefined while an autoscaler chooses the number of pods. */
export function deploymentReplicas(app: App) {
  if (app.spec.autoscaling) return undefined;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: names.deployment(app.metadata.name), namespace: app.metadata.namespace },
    spec: { replicas: app.spec.replicas },
  };
}

/** The worker's own Deployment; undefined for a release without one. */
export function workerDeployment(app: App, release: Release): KubeObject | undefined {
  if (!release.worker || app.kind !== 'DevShelfDeployment') return undefined;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: childMeta(app, names.worker(app.metadata.name), {
      ...childLabels(app, COMPONENTS.worker),
      [LABELS.release]: release.hash,
    }),
    spec: {
      replicas: app.spec.worker.replicas,
      selector: { matchLabels: { ...instanceLabels(app), [LABELS.component]: COMPONENTS.worker } },
      revisionHistoryLimit: REVISION_HISTORY_LIMIT,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: release.worker satisfies PodTemplate,
    },
  };
}
