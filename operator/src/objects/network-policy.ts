import { type App, childMeta, instanceLabels, type KubeObject } from './app.ts';
import { HTTP_PORT_NAME, names } from './names.ts';

/**
 * All pods of the resource take connections on their HTTP port only; a migration, which has none, takes none at all.
 *
 * From anywhere: who calls the service is not known here, and the operator and Prometheus read /metrics on the same
 * port, protected by its token. Through the API server's proxy the operator even comes from outside the pod network,
 * where no selector could name it.
 *
 * What pods connect to stays open: only the Secrets know where the databases are, and a rule that guesses wrong cuts
 * a service off from its data.
 *
 * Strict: only from this namespace and those that the spec names. The kubelet's probes come from the node, which no policy
 * stops.
 * @param askedFrom namespace of the operator's pods; undefined: it asks through the API server, and Strict would blind it
 */
export function networkPolicy(app: App, askedFrom?: string): KubeObject | undefined {
  if (app.spec.networkPolicy === 'Disabled') return undefined;
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: childMeta(app, names.networkPolicy(app.metadata.name)),
    spec: {
      podSelector: { matchLabels: instanceLabels(app) },
      policyTypes: ['Ingress'],
      ingress: [{ ports: [{ port: HTTP_PORT_NAME, protocol: 'TCP' }], ...peers(app, askedFrom) }],
    },
  };
}

function peers({ spec }: App, askedFrom: string | undefined): { readonly from?: readonly object[] } {
  if (spec.networkPolicy !== 'Strict' || askedFrom === undefined) return {};
  const others = [...spec.exposure.from, ...spec.monitoring.from, askedFrom];
  const names = [...new Set(others)].sort().map(name => ({ 'kubernetes.io/metadata.name': name }));
  return { from: [{ podSelector: {} }, ...names.map(matchLabels => ({ namespaceSelector: { matchLabels } }))] };
}
