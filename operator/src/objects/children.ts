// Everything that should be there for one resource, in the order in which it is applied.
import { type Release, type RolloutRecord, releaseInForce } from '../api/rollout.ts';
import type { App, KubeObject } from './app.ts';
import { autoscaler } from './autoscaler.ts';
import { deployment, workerDeployment } from './deployment.ts';
import { disruptionBudget } from './disruption-budget.ts';
import { names } from './names.ts';
import { networkPolicy } from './network-policy.ts';
import { service } from './service.ts';
import { serviceAccount } from './service-account.ts';
import { serviceMonitor } from './service-monitor.ts';

export type FindRelease = (hash: string) => Release | undefined;

export interface Cluster {
  /** The API server knows `monitoring.coreos.com/v1`. */
  readonly serviceMonitorAvailable: boolean;
}

/**
 * The whole desired set. Not in it, because they are made once and not kept in shape: Secrets with keys, Jobs,
 * rehearsal pods, ControllerRevisions.
 * @param record where the rollout stands; undefined before the first install, and then there are no Deployments
 */
export function desiredChildren(
  app: App,
  record: RolloutRecord | undefined,
  releases: FindRelease,
  { serviceMonitorAvailable }: Cluster,
): readonly KubeObject[] {
  const children = [
    serviceAccount(app),
    networkPolicy(app),
    service(app),
    disruptionBudget(app),
    ...(record ? deployments(app, record, releases) : []),
    record && autoscaler(app, record.phase),
    serviceMonitorAvailable ? serviceMonitor(app) : undefined,
  ];
  return children.filter(child => child !== undefined);
}

/** The serving pods run the record's release; the worker stays with the stable one until that is replaced. */
function deployments(app: App, record: RolloutRecord, releases: FindRelease): readonly (KubeObject | undefined)[] {
  const serving = releases(record.release);
  const inForce = releases(releaseInForce(record));
  return [serving && deployment(app, record, serving), inForce && workerDeployment(app, inForce)];
}

/** Children that go when they are no longer desired, by kind; of Deployments only the worker's. */
export const PRUNABLE_KINDS = [
  { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', name: names.networkPolicy },
  { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', name: names.disruptionBudget },
  { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', name: names.autoscaler },
  { apiVersion: 'monitoring.coreos.com/v1', kind: 'ServiceMonitor', name: names.serviceMonitor },
  { apiVersion: 'apps/v1', kind: 'Deployment', name: names.worker },
] as const;

export interface ChildRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
}

/**
 * Children that must not be there, given what is desired. Never the serving Deployment; and the worker's only while the
 * release in force is known: otherwise nobody can tell whether it has a worker.
 * Whoever deletes one makes sure first that this resource owns it.
 */
export function unwantedChildren(
  app: App,
  desired: readonly KubeObject[],
  cluster: Cluster,
  inForceIsKnown: boolean,
): readonly ChildRef[] {
  const wanted = new Set(desired.map(({ kind, metadata }) => `${kind}/${metadata.name}`));
  const mayGo: Readonly<Record<(typeof PRUNABLE_KINDS)[number]['kind'], boolean>> = {
    NetworkPolicy: true,
    PodDisruptionBudget: true,
    HorizontalPodAutoscaler: true,
    ServiceMonitor: cluster.serviceMonitorAvailable,
    Deployment: inForceIsKnown,
  };
  return PRUNABLE_KINDS.filter(({ kind }) => mayGo[kind])
    .map(({ apiVersion, kind, name }) => ({ apiVersion, kind, name: name(app.metadata.name) }))
    .filter(({ kind, name }) => !wanted.has(`${kind}/${name}`));
}
