import { alertingRule } from './alert.ts';
import { type App, childLabels, childMeta, type KubeObject } from './app.ts';
import { names } from './names.ts';
import { INTERVAL_SECONDS, resourceAlerts, resourceRecordings } from './resource-alerts.ts';

/**
 * What Prometheus records and alerts about the resource; undefined when the spec disables it. It is in the resource's
 * namespace: the thresholds are the resource's, and a tenant's Prometheus selects there.
 */
export function prometheusRule(app: App, docsUrl?: string): KubeObject | undefined {
  const { prometheusRule: policy, labels } = app.spec.monitoring;
  const { name, namespace } = app.metadata;
  if (policy === 'Disabled') return undefined;
  const group = (of: string, rules: readonly unknown[]) => ({
    name: `${namespace}.${name}.${of}`,
    interval: `${INTERVAL_SECONDS}s`,
    rules,
  });
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: childMeta(app, names.prometheusRule(name), { ...labels, ...childLabels(app) }),
    spec: {
      groups: [
        group('recorded', resourceRecordings(app)),
        group(
          'alerts',
          resourceAlerts(app).map(alert => alertingRule(alert, docsUrl)),
        ),
      ],
    },
  };
}
