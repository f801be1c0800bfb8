// What the API server serves, and at which path. Kinds are data here: nothing below knows what they are for.

import type {
  V1ConfigMap,
  V1ControllerRevision,
  V1CronJob,
  V1CustomResourceDefinition,
  V1Deployment,
  V1Ingress,
  V1Job,
  V1Lease,
  V1Namespace,
  V1NetworkPolicy,
  V1Pod,
  V1PodDisruptionBudget,
  V1ReplicaSet,
  V1Secret,
  V1Service,
  V1ServiceAccount,
  V2HorizontalPodAutoscaler,
} from '@kubernetes/client-node';

export type OwnerReference = {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
};

/** One field manager's share of an object, as the API server tracks it. */
export type ManagedFields = {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: object;
  subresource?: string;
};

export type Metadata = {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFields[];
};

export type KubeObject = { apiVersion: string; kind: string; metadata: Metadata };

/**
 * The JSON of a client-node type: times are strings, and fields carry the names they have on the wire
 * (client-node says `_from` for a NetworkPolicy's `from`).
 */
export type Wire<T> = T extends Date
  ? string
  : T extends (infer Item)[]
    ? Wire<Item>[]
    : T extends object
      ? { [Key in keyof T as Key extends `_${infer Name}` ? Name : Key]: Wire<T[Key]> }
      : T;

/** A client-node type as the API server sends it. */
export type Served<T> = KubeObject & Omit<Wire<T>, 'apiVersion' | 'kind' | 'metadata'>;

export type Resource<T extends KubeObject = KubeObject> = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Never set: carries the type of the objects. */
  readonly object?: T;
};

export type Target = { namespace?: string; name?: string; subresource?: string };

/**
 * The path of a collection, an object or a subresource; without a namespace a collection spans all of them.
 * @throws TypeError where an object of a namespaced kind is named without its namespace
 */
export function pathOf(resource: Resource, target: Target = {}): string {
  const root = resource.apiVersion.includes('/') ? `/apis/${resource.apiVersion}` : `/api/${resource.apiVersion}`;
  const { namespace, name, subresource } = target;
  if (resource.namespaced && name !== undefined && namespace === undefined) {
    throw new TypeError(`${resource.kind} ${name}: a namespace is needed`);
  }
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${root}${scope}/${resource.plural}${object}${subresource === undefined ? '' : `/${subresource}`}`;
}

/** The path of an object that exists, or is to exist, where its own metadata says. */
export function pathTo(resource: Resource, object: Pick<KubeObject, 'metadata'>, subresource?: string): string {
  const { name, namespace } = object.metadata;
  return pathOf(resource, {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(subresource !== undefined && { subresource }),
  });
}

function served<T>(apiVersion: string, kind: string, plural: string, namespaced = true): Resource<Served<T>> {
  return { apiVersion, kind, plural, namespaced };
}

/** Of the core group: one observation, or the same one several times. */
export type EventObject = KubeObject & {
  /** To the microsecond; the two below to the second. */
  eventTime: string;
  firstTimestamp: string;
  lastTimestamp: string;
  count: number;
  type: 'Normal' | 'Warning';
  reason: string;
  action: string;
  message: string;
  involvedObject: { apiVersion: string; kind: string; name: string; namespace?: string; uid?: string };
  source: { component: string };
  reportingComponent: string;
  reportingInstance: string;
};

export const deployments = served<V1Deployment>('apps/v1', 'Deployment', 'deployments');
export const replicaSets = served<V1ReplicaSet>('apps/v1', 'ReplicaSet', 'replicasets');
export const controllerRevisions = served<V1ControllerRevision>('apps/v1', 'ControllerRevision', 'controllerrevisions');
export const pods = served<V1Pod>('v1', 'Pod', 'pods');
export const services = served<V1Service>('v1', 'Service', 'services');
export const serviceAccounts = served<V1ServiceAccount>('v1', 'ServiceAccount', 'serviceaccounts');
export const secrets = served<V1Secret>('v1', 'Secret', 'secrets');
export const configMaps = served<V1ConfigMap>('v1', 'ConfigMap', 'configmaps');
export const namespaces = served<V1Namespace>('v1', 'Namespace', 'namespaces', false);
export const jobs = served<V1Job>('batch/v1', 'Job', 'jobs');
export const cronJobs = served<V1CronJob>('batch/v1', 'CronJob', 'cronjobs');
/** Of CloudNativePG, as far as it is read here. */
export type CnpgBackup = KubeObject & { status?: { phase?: string; error?: string; stoppedAt?: string } };
export const backups: Resource<CnpgBackup> = {
  apiVersion: 'postgresql.cnpg.io/v1',
  kind: 'Backup',
  plural: 'backups',
  namespaced: true,
};
export const leases = served<V1Lease>('coordination.k8s.io/v1', 'Lease', 'leases');
export const horizontalPodAutoscalers = served<V2HorizontalPodAutoscaler>(
  'autoscaling/v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
);
export const podDisruptionBudgets = served<V1PodDisruptionBudget>(
  'policy/v1',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
);
export const networkPolicies = served<V1NetworkPolicy>('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies');
export const customResourceDefinitions = served<V1CustomResourceDefinition>(
  'apiextensions.k8s.io/v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  false,
);
export const events: Resource<EventObject> = {
  apiVersion: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};
export const ingresses = served<V1Ingress>('networking.k8s.io/v1', 'Ingress', 'ingresses');
type GatewayParent = { kind?: string; name: string; namespace?: string; sectionName?: string };
type GatewayCondition = {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  observedGeneration?: number;
};
/** As far as it is read here. */
export type HttpRouteObject = KubeObject & {
  spec?: { hostnames?: string[]; parentRefs?: GatewayParent[] };
  status?: {
    parents?: {
      parentRef: GatewayParent;
      controllerName: string;
      conditions?: GatewayCondition[];
    }[];
  };
};
export const httpRoutes: Resource<HttpRouteObject> = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  plural: 'httproutes',
  namespaced: true,
};
/** As far as it is read here. */
export type ListenerSetObject = KubeObject & {
  spec?: { listeners?: { name: string; hostname?: string }[] };
  status?: {
    conditions?: GatewayCondition[];
    listeners?: { name: string; conditions?: GatewayCondition[] }[];
  };
};
export const listenerSets: Resource<ListenerSetObject> = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'ListenerSet',
  plural: 'listenersets',
  namespaced: true,
};
/** As far as it is read here. */
export type ScaledObjectObject = KubeObject & {
  status?: { conditions?: { type: string; status: string; reason?: string; message?: string }[] };
};
export const scaledObjects: Resource<ScaledObjectObject> = {
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  plural: 'scaledobjects',
  namespaced: true,
};
export const serviceMonitors: Resource<KubeObject & { spec: object }> = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'ServiceMonitor',
  plural: 'servicemonitors',
  namespaced: true,
};
export const podMonitors: Resource<KubeObject & { spec: object }> = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PodMonitor',
  plural: 'podmonitors',
  namespaced: true,
};
export const prometheusRules: Resource<KubeObject & { spec: object }> = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  plural: 'prometheusrules',
  namespaced: true,
};

/** A moment as Kubernetes' MicroTime wants it: with six decimals. `ms` since 1970. */
export const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');
