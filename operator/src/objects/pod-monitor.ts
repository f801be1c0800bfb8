import { type App, childLabels, childMeta, instanceLabels, isDevShelf, type KubeObject } from './app.ts';
import { COMPONENTS, HTTP_PORT_NAME, LABELS, names } from './names.ts';

/** How Prometheus finds the workers, which have no Service; undefined where there are none. */
export function podMonitor(app: App): KubeObject | undefined {
  const { serviceMonitor: policy, labels, interval } = app.spec.monitoring;
  const { name } = app.metadata;
  if (policy === 'Disabled' || !isDevShelf(app) || !app.spec.redis) return undefined;
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PodMonitor',
    metadata: childMeta(app, names.podMonitor(name), { ...labels, ...childLabels(app) }),
    spec: {
      selector: { matchLabels: { ...instanceLabels(app), [LABELS.component]: COMPONENTS.worker } },
      podTargetLabels: [LABELS.release],
      podMetricsEndpoints: [
        {
          port: HTTP_PORT_NAME,
          path: '/metrics',
          interval,
          authorization: { type: 'Bearer', credentials: { name: names.scrapeToken(name), key: 'token' } },
          // only a ServiceMonitor sets this label; the rules find the workers by it
          relabelings: [{ targetLabel: 'service', replacement: names.worker(name) }],
        },
      ],
    },
  };
}
