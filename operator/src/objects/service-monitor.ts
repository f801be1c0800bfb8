import { type App, childLabels, childMeta, instanceLabels, type KubeObject } from './app.ts';
import { COMPONENTS, HTTP_PORT_NAME, LABELS, names } from './names.ts';

/** How Prometheus finds the serving pods and the token to read them with; undefined when the spec disables it. */
export function serviceMonitor(app: App): KubeObject | undefined {
  const { serviceMonitor: policy, labels, interval } = app.spec.monitoring;
  if (policy === 'Disabled') return undefined;
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: childMeta(app, names.serviceMonitor(app.metadata.name), { ...labels, ...childLabels(app) }),
    spec: {
      selector: { matchLabels: { ...instanceLabels(app), [LABELS.component]: COMPONENTS.server } },
      // series carry the release, so that two of them can be told apart in a query
      podTargetLabels: [LABELS.release],
      endpoints: [
        {
          port: HTTP_PORT_NAME,
          path: '/metrics',
          interval,
          authorization: { type: 'Bearer', credentials: { name: names.scrapeToken(app.metadata.name), key: 'token' } },
        },
      ],
    },
  };
}
