// Everything that should be there for one resource, in the order in which it is applied.
import { hasOwnListeners, type RouteParent } from '../api/exposure.ts';
import { routedHosts } from '../api/hosts.ts';
import { type Apis, isOptional, OPTIONAL_APIS, type OptionalKind } from '../api/optional-apis.ts';
import { type Release, type RolloutRecord, releaseInForce, releaseOnTrial, servingReleases } from '../api/rollout.ts';
import type { App, KubeObject } from './app.ts';
import { autoscaler } from './autoscaler.ts';
import { candidateDeployment, deployment, workerDeployment } from './deployment.ts';
import { disruptionBudget } from './disruption-budget.ts';
import { httpRoute, redirectRoute } from './http-route.ts';
import { ingress } from './ingress.ts';
import { listenerSet } from './listener-set.ts';
import { names } from './names.ts';
import { networkPolicy } from './network-policy.ts';
import { podMonitor } from './pod-monitor.ts';
import { prometheusRule } from './prometheus-rule.ts';
import { scaledObject, workerScaledObject } from './scaled-object.ts';
import { service } from './service.ts';
import { serviceAccount } from './service-account.ts';
import { serviceMonitor } from './service-monitor.ts';

export type FindRelease = (hash: string) => Release | undefined;

/** What the desired set depends on besides the spec and the record. */
export interface Cluster {
  /** Kinds that a cluster may lack. */
  readonly apis: Apis;
  /** Where the pages of docs/ are; undefined: alerts name the page by its path. */
  readonly docsUrl?: string;
  /** Where KEDA asks for requests and jobs; undefined: the operator does not know. */
  readonly prometheusUrl?: string;
  /** Namespace of the operator's pods, where they ask pods by their address. */
  readonly podsAskedFrom?: string;
  /** Of the autoscalers of the serving Deployment: two of them would pull it to and fro, and KEDA refuses to be the second. */
  readonly autoscalerIsThere?: boolean;
  /** It, or the autoscaler that KEDA keeps for it. */
  readonly scaledObjectIsThere?: boolean;
  /** How many pods the serving Deployment wants; undefined where there is none yet. */
  readonly servingReplicas?: number;
  /** The Deployment of a release on trial is there. */
  readonly candidateIsThere?: boolean;
  /** The door that the spec asks for serves; absent: it does. */
  readonly doorServes?: boolean;
  /** Where the HTTPRoute is attached now. */
  readonly routeParents?: readonly RouteParent[];
  /** The Secret that Prometheus reads the pods with; absent: it is. */
  readonly scrapeTokenIsThere?: boolean;
  /** Identity of the database that the spec names, if it could be read. */
  readonly database?: string;
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
  cluster: Cluster,
): readonly KubeObject[] {
  const hosts = routedHosts(app, record, releases);
  const children = [
    serviceAccount(app),
    networkPolicy(app, cluster.podsAskedFrom),
    service(app),
    disruptionBudget(app),
    ...(record ? deployments(app, record, releases, cluster) : []),
    ...(record ? autoscalers(app, record, cluster) : []),
    ingress(app, hosts),
    listenerSet(app, hosts),
    httpRoute(app, hosts, cluster.doorServes === false ? cluster.routeParents : []),
    redirectRoute(app, hosts),
    ...monitors(app, cluster),
    prometheusRule(app, cluster.docsUrl),
  ];
  return children.filter(child => child !== undefined).filter(({ kind }) => isServed(kind, cluster));
}

/** Prometheus Operator refuses a monitor whose Secret is not there, with a warning: the Secret comes first. */
const monitors = (app: App, { scrapeTokenIsThere = true }: Cluster): readonly (KubeObject | undefined)[] =>
  scrapeTokenIsThere ? [serviceMonitor(app), podMonitor(app)] : [];

/** A new one waits until the one before it is gone. */
function autoscalers(app: App, { phase }: RolloutRecord, cluster: Cluster): readonly (KubeObject | undefined)[] {
  const { autoscalerIsThere, scaledObjectIsThere, prometheusUrl } = cluster;
  return [
    scaledObjectIsThere && !autoscalerIsThere ? undefined : autoscaler(app, phase),
    autoscalerIsThere && !scaledObjectIsThere ? undefined : scaledObject(app, phase, prometheusUrl),
    workerScaledObject(app, prometheusUrl),
  ];
}

const isServed = (kind: string, { apis }: Cluster): boolean => !isOptional(kind) || apis[kind] === 'present';

/** What serves and the worker run the release in force; what is on trial has a Deployment of its own. */
function deployments(
  app: App,
  record: RolloutRecord,
  releases: FindRelease,
  cluster: Cluster,
): readonly (KubeObject | undefined)[] {
  const inForce = releases(releaseInForce(record));
  return [
    inForce && deployment(app, record, inForce, cluster.database),
    candidate(app, record, releases, cluster),
    inForce && workerDeployment(app, inForce),
  ];
}

/**
 * It is made for the trial, and stays until the promotion is complete. Removed by hand meanwhile it is not made again: the
 * serving Deployment is never short of pods.
 */
function candidate(
  app: App,
  record: RolloutRecord,
  releases: FindRelease,
  { servingReplicas = 1, candidateIsThere = false }: Cluster,
): KubeObject | undefined {
  const hash = releaseOnTrial(record);
  const onTrial = hash === undefined ? undefined : releases(hash);
  if (!onTrial || (record.phase === 'Promoting' && !candidateIsThere)) return undefined;
  return candidateDeployment(app, onTrial, servingReplicas);
}

export interface ChildRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
}

type Prunable = ChildRef & { readonly mayGo: boolean };

/** Of a release that nobody remembers nobody can tell which hosts it knows: its users keep their door. */
const isServingKnown = (record: RolloutRecord | undefined, releases: FindRelease): boolean =>
  record === undefined || servingReleases(record).every(hash => releases(hash) !== undefined);

/** The kinds by which users may come who do not come by the door that is wanted. */
function isOtherDoor({ spec: { exposure } }: App, kind: OptionalKind): boolean {
  if (exposure.type === 'None') return false;
  if (kind === 'ListenerSet') return !hasOwnListeners(exposure);
  return kind === (exposure.type === 'Gateway' ? 'Ingress' : 'HTTPRoute');
}

const optional = (name: string, kind: OptionalKind, cluster: Cluster): Prunable => ({
  apiVersion: OPTIONAL_APIS[kind].apiVersion,
  kind,
  name,
  mayGo: isServed(kind, cluster),
});

/**
 * Children that must not be there, given what is desired. Never the serving Deployment; the worker's only while the
 * release in force is known: otherwise nobody can tell whether it has a worker; the candidate's when nothing is tried.
 * Whoever deletes one makes sure first that this resource owns it.
 */
export function unwantedChildren(
  app: App,
  record: RolloutRecord | undefined,
  releases: FindRelease,
  desired: readonly KubeObject[],
  cluster: Cluster,
): readonly ChildRef[] {
  const wanted = new Set(desired.map(({ kind, metadata }) => `${kind}/${metadata.name}`));
  const { name } = app.metadata;
  const inForceIsKnown = record !== undefined && releases(releaseInForce(record)) !== undefined;
  const door = (child: string, kind: OptionalKind): Prunable => {
    const of = optional(child, kind, cluster);
    // of the other kind: users come by it until the new one serves
    const isReplaced = cluster.doorServes !== false || !isOtherDoor(app, kind);
    return { ...of, mayGo: of.mayGo && isReplaced && isServingKnown(record, releases) };
  };
  const monitor = (child: string, kind: OptionalKind): Prunable => {
    const of = optional(child, kind, cluster);
    return { ...of, mayGo: of.mayGo && cluster.scrapeTokenIsThere !== false };
  };
  const isSettled = record !== undefined && releaseOnTrial(record) === undefined;
  const prunable: readonly Prunable[] = [
    { apiVersion: 'apps/v1', kind: 'Deployment', name: names.candidate(name), mayGo: isSettled },
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', name: names.networkPolicy(name), mayGo: true },
    { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', name: names.disruptionBudget(name), mayGo: true },
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      name: names.autoscaler(name),
      // without its successor it goes on: some scaling is better than none
      mayGo: app.spec.autoscaling?.provider !== 'KEDA' || isServed('ScaledObject', cluster),
    },
    optional(names.scaledObject(name), 'ScaledObject', cluster),
    optional(names.workerScaledObject(name), 'ScaledObject', cluster),
    door(names.ingress(name), 'Ingress'),
    door(names.httpRoute(name), 'HTTPRoute'),
    door(names.redirectRoute(name), 'HTTPRoute'),
    // after the route that is attached to it
    door(names.listenerSet(name), 'ListenerSet'),
    monitor(names.serviceMonitor(name), 'ServiceMonitor'),
    { apiVersion: 'apps/v1', kind: 'Deployment', name: names.worker(name), mayGo: inForceIsKnown },
    monitor(names.podMonitor(name), 'PodMonitor'),
    optional(names.prometheusRule(name), 'PrometheusRule', cluster),
  ];
  return prunable
    .filter(({ mayGo, kind, name: child }) => mayGo && !wanted.has(`${kind}/${child}`))
    .map(({ mayGo: _may, ...child }) => child);
}
