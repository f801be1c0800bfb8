// Whether Prometheus is told about the pods. It never decides about Ready: no release waits for Prometheus.
import type { Condition } from '../../api/conditions.ts';
import type { ApiState, OptionalKind } from '../../api/optional-apis.ts';
import type { Snapshot } from '../snapshot.ts';
import { scraped } from './scraped.ts';

interface Part {
  readonly kind: OptionalKind;
  /** Field of spec.monitoring that asks for it. */
  readonly field: 'serviceMonitor' | 'prometheusRule';
  readonly missing: Condition['reason'];
}

const PARTS: readonly Part[] = [
  { kind: 'ServiceMonitor', field: 'serviceMonitor', missing: 'ServiceMonitorAPIMissing' },
  { kind: 'PodMonitor', field: 'serviceMonitor', missing: 'ServiceMonitorAPIMissing' },
  { kind: 'PrometheusRule', field: 'prometheusRule', missing: 'PrometheusRuleAPIMissing' },
];

const condition = (status: Condition['status'], reason: Condition['reason'], message: string): Condition => ({
  type: 'Monitored',
  status,
  reason,
  message,
});

export function monitored(seen: Snapshot): Condition {
  const { app, apis, monitorRefused } = seen;
  const wanted = PARTS.filter(
    ({ kind, field }) => app.spec.monitoring[field] === 'Managed' && (kind !== 'PodMonitor' || hasWorker(app)),
  );
  if (wanted.length === 0) {
    const message = 'spec.monitoring.serviceMonitor and spec.monitoring.prometheusRule are Disabled';
    return condition('False', 'MonitoringDisabled', message);
  }
  const lacking = wanted.find(({ kind }) => apis[kind] !== 'present');
  if (lacking) {
    const { kind, field, missing } = lacking;
    return condition('False', missing, `${remedy(kind, apis[kind])}, or set spec.monitoring.${field} to Disabled`);
  }
  if (monitorRefused && wanted.some(({ kind }) => kind === monitorRefused.kind)) {
    const { kind, name, by, why } = monitorRefused;
    return condition('False', 'MonitorRejected', `Prometheus ${by} does not take ${kind} ${name}: ${why}`);
  }
  const kinds = wanted.map(({ kind }) => kind).join(', ');
  const known = app.spec.monitoring.serviceMonitor === 'Managed' ? scraped(seen) : undefined;
  if (!known) return condition('True', 'Monitored', `${kinds}: there; whether a Prometheus selects them was not seen`);
  if (known.seen)
    return condition('True', 'Monitored', `${kinds}: there; a Prometheus read the pods of ${known.release}`);
  const { name } = app.metadata;
  const message = `no Prometheus read the pods of ${known.release} while it baked: does its selector want a label of ServiceMonitor ${name} (spec.monitoring.labels), or its namespace? Looked at again in the next bake`;
  return condition('False', 'NotScraped', message);
}

const hasWorker = ({ spec }: Snapshot['app']): boolean => 'redis' in spec && spec.redis !== undefined;

const remedy = (kind: OptionalKind, state: ApiState): string =>
  state === 'refused'
    ? `the operator may not see objects of kind ${kind}: give it the rights of its chart`
    : `the cluster has no ${kind} of monitoring.coreos.com/v1: install Prometheus Operator`;
