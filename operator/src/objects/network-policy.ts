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
 */
export function networkPolicy(app: App): KubeObject | undefined {
  if (app.spec.networkPolicy === 'Disabled') return undefined;
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: childMeta(app, names.networkPolicy(app.metadata.name)),
    spec: {
      podSelector: { matchLabels: instanceLabels(app) },
      policyTypes: ['Ingress'],
      ingress: [{ ports: [{ port: HTTP_PORT_NAME, protocol: 'TCP' }] }],
    },
  };
}
