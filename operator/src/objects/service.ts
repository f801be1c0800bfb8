import { type App, childLabels, childMeta, type KubeObject, servingLabels } from './app.ts';
import { COMPONENTS, HTTP_PORT_NAME, names } from './names.ts';

/** In front of every pod that serves, stable or candidate. */
export function service(app: App): KubeObject {
  const { type, port } = app.spec.service;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: childMeta(app, names.service(app.metadata.name), childLabels(app, COMPONENTS.server)),
    spec: {
      type,
      selector: servingLabels(app),
      // one user's requests always to one pod: a candidate would get another share of them than its share of pods
      sessionAffinity: 'None',
      ports: [{ name: HTTP_PORT_NAME, port, targetPort: HTTP_PORT_NAME, protocol: 'TCP' }],
    },
  };
}
