import { hasOwnListeners } from '../api/exposure.ts';
import { type App, childMeta, type KubeObject } from './app.ts';
import { issuerAnnotation, tlsSecretOf } from './exposure.ts';
import { gatewayRef } from './http-route.ts';
import { names } from './names.ts';

const HTTPS_PORT = 443;

/**
 * Listeners of our own at somebody's Gateway, one for each host, all with the certificate in our namespace; undefined
 * without hosts: a listener without one would take everybody's connections.
 */
export function listenerSet(app: App, hosts: readonly string[]): KubeObject | undefined {
  const { gateway } = app.spec.exposure;
  const [parent] = gateway?.parentRefs ?? [];
  const secret = tlsSecretOf(app);
  if (!hasOwnListeners(app.spec.exposure) || !parent || secret === undefined || hosts.length === 0) return undefined;
  const annotations = issuerAnnotation(app);
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'ListenerSet',
    metadata: {
      ...childMeta(app, names.listenerSet(app.metadata.name)),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec: {
      parentRef: gatewayRef(app, parent),
      listeners: hosts.map(host => ({
        name: host,
        hostname: host,
        port: gateway?.httpsPort ?? HTTPS_PORT,
        protocol: 'HTTPS',
        tls: { mode: 'Terminate', certificateRefs: [{ group: '', kind: 'Secret', name: secret }] },
        allowedRoutes: { namespaces: { from: 'Same' } },
      })),
    },
  };
}
