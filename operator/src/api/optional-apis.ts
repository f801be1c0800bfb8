// Kinds of others that a cluster may lack. Each is one line here; stores, children and conditions come from it.
export const OPTIONAL_APIS = {
  ServiceMonitor: { apiVersion: 'monitoring.coreos.com/v1', plural: 'servicemonitors' },
  PodMonitor: { apiVersion: 'monitoring.coreos.com/v1', plural: 'podmonitors' },
  Ingress: { apiVersion: 'networking.k8s.io/v1', plural: 'ingresses' },
  HTTPRoute: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'httproutes' },
  ListenerSet: { apiVersion: 'gateway.networking.k8s.io/v1', plural: 'listenersets' },
  ScaledObject: { apiVersion: 'keda.sh/v1alpha1', plural: 'scaledobjects' },
  PrometheusRule: { apiVersion: 'monitoring.coreos.com/v1', plural: 'prometheusrules' },
} as const;

export type OptionalKind = keyof typeof OPTIONAL_APIS;

/** `absent`: the API server does not serve the kind. `refused`: it does not let us see it. */
export type ApiState = 'present' | 'absent' | 'refused';

export type Apis = Readonly<Record<OptionalKind, ApiState>>;

export const isOptional = (kind: string): kind is OptionalKind => kind in OPTIONAL_APIS;

/** What is asked about each kind, as one value. */
export const apisBy = (stateOf: (kind: OptionalKind) => ApiState): Apis =>
  Object.fromEntries(Object.keys(OPTIONAL_APIS).map(kind => [kind, stateOf(kind as OptionalKind)])) as unknown as Apis;
