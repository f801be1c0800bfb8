import { type App, childMeta, compact, type KubeObject } from './app.ts';
import { issuerAnnotation, tlsSecretOf } from './exposure.ts';
import { HTTP_PORT_NAME, names } from './names.ts';

/** The whole service under these hosts; undefined without any: a rule without a host would take everybody's requests. */
export function ingress(app: App, hosts: readonly string[]): KubeObject | undefined {
  const { exposure } = app.spec;
  if (exposure.type !== 'Ingress' || hosts.length === 0) return undefined;
  const { name } = app.metadata;
  const service = { name: names.service(name), port: { name: HTTP_PORT_NAME } };
  const secretName = tlsSecretOf(app);
  const annotations = { ...exposure.ingress?.annotations, ...issuerAnnotation(app) };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      ...childMeta(app, names.ingress(name)),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec: compact({
      ingressClassName: exposure.ingress?.className,
      rules: hosts.map(host => ({
        host,
        http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service } }] },
      })),
      tls: secretName === undefined ? undefined : [{ hosts: [...hosts], secretName }],
    }),
  };
}
