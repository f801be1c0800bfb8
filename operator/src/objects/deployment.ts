// The Deployments: what serves, what is on trial beside it, and the worker.
import type { Phase, PodTemplate, Release, RolloutRecord } from '../api/rollout.ts';
import { formatRecord } from '../api/rollout.ts';
import { type App, childLabels, childMeta, instanceLabels, type KubeObject, servingLabels } from './app.ts';
import { ANNOTATIONS, COMPONENTS, LABELS, names } from './names.ts';

/** Rollbacks re-apply a stored template, so old ReplicaSets serve only people who look. */
const REVISION_HISTORY_LIMIT = 2;

/** While all stable pods come back they start at once, and each bad one goes as soon as one of them is ready. */
const isUrgent = (phase: Phase): boolean => phase === 'RollingBackAll';

/**
 * The Deployment that serves: record and template in one object, so that one write decides and acts. The number of
 * replicas is not here: it belongs to a second field manager, or to the autoscaler.
 * @param release the one that is in force by the record
 * @param database identity of its database: others on the same one find it by that
 */
export function deployment(app: App, record: RolloutRecord, release: Release, database?: string): KubeObject {
  const { minReadySeconds, progressDeadlineSeconds } = app.spec.rollout;
  const wait = isUrgent(record.phase) ? 0 : minReadySeconds;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      ...childMeta(app, names.deployment(app.metadata.name), {
        ...childLabels(app, COMPONENTS.server),
        [LABELS.release]: release.hash,
        ...(database !== undefined && { [LABELS.database]: database }),
      }),
      annotations: { [ANNOTATIONS.rollout]: formatRecord(record) },
    },
    spec: {
      selector: { matchLabels: servingLabels(app) },
      minReadySeconds: wait,
      // the API server refuses a deadline that is not longer than the wait
      progressDeadlineSeconds: Math.max(progressDeadlineSeconds, minReadySeconds + 1),
      revisionHistoryLimit: REVISION_HISTORY_LIMIT,
      strategy: {
        type: 'RollingUpdate',
        // a quarter is rounded up: at least one
        rollingUpdate: { maxSurge: isUrgent(record.phase) ? '100%' : '25%', maxUnavailable: 0 },
      },
      ...(record.held && { paused: true }),
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

/** The second manager's share of a worker whose number becomes an autoscaler's: without it, it would fall to 1 at once. */
export const workerReplicas = ({ metadata: { name, namespace } }: App, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: names.worker(name), namespace },
  spec: { replicas },
});

/**
 * The release on trial. Its pods carry the role label, so the Service and the disruption budget take them in; the
 * number of them never changes with the load.
 * @param serving how many pods the serving Deployment wants: with none, nobody is on trial either
 */
export function candidateDeployment(app: App, release: Release, serving: number): KubeObject {
  const { canaryReplicas, progressDeadlineSeconds } = app.spec.rollout;
  const component = { [LABELS.component]: COMPONENTS.candidate };
  const { metadata, spec } = release.template;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: childMeta(app, names.candidate(app.metadata.name), {
      ...childLabels(app, COMPONENTS.candidate),
      [LABELS.release]: release.hash,
    }),
    spec: {
      replicas: Math.min(canaryReplicas, serving),
      selector: { matchLabels: { ...instanceLabels(app), ...component } },
      progressDeadlineSeconds,
      revisionHistoryLimit: 0,
      template: { metadata: { ...metadata, labels: { ...metadata.labels, ...component } }, spec },
    },
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
      // an autoscaler's is not ours
      ...(!app.spec.worker.autoscaling && { replicas: app.spec.worker.replicas }),
      selector: { matchLabels: { ...instanceLabels(app), [LABELS.component]: COMPONENTS.worker } },
      revisionHistoryLimit: REVISION_HISTORY_LIMIT,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: release.worker satisfies PodTemplate,
    },
  };
}
