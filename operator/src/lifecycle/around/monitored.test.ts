import { expect, test } from '@jest/globals';
import { type Apis, apisBy } from '../../api/optional-apis.ts';
import { app, snapshot } from '../testing.ts';
import { monitored } from './monitored.ts';

const refused = { kind: 'PodMonitor', name: 'shop-worker', by: 'monitoring/k8s', why: 'bad relabeling' } as const;

const apis = (change: Partial<Apis> = {}): Apis => ({ ...apisBy(() => 'present'), ...change });

test.each<[string, object, Partial<Apis>, string, string, string]>([
  ['everything is there', {}, {}, 'True', 'Monitored', 'ServiceMonitor, PrometheusRule: there'],
  [
    'nothing is wanted',
    { serviceMonitor: 'Disabled', prometheusRule: 'Disabled' },
    {},
    'False',
    'MonitoringDisabled',
    'are Disabled',
  ],
  [
    'only the rule is wanted',
    { serviceMonitor: 'Disabled' },
    { ServiceMonitor: 'absent' },
    'True',
    'Monitored',
    'PrometheusRule: there',
  ],
  [
    'no Prometheus Operator',
    {},
    { ServiceMonitor: 'absent' },
    'False',
    'ServiceMonitorAPIMissing',
    'install Prometheus Operator, or set spec.monitoring.serviceMonitor to Disabled',
  ],
  ['one without rules', {}, { PrometheusRule: 'absent' }, 'False', 'PrometheusRuleAPIMissing', 'no PrometheusRule'],
  [
    'no rights',
    {},
    { PrometheusRule: 'refused' },
    'False',
    'PrometheusRuleAPIMissing',
    'give it the rights of its chart',
  ],
  ['no worker needs no PodMonitor', {}, { PodMonitor: 'absent' }, 'True', 'Monitored', 'there'],
])('%s', (_case, monitoring, change, status, reason, words) => {
  const found = monitored(snapshot({ app: app({ monitoring }), apis: apis(change) }));
  expect(found).toMatchObject({ type: 'Monitored', status, reason });
  expect(found.message).toContain(words);
});

test('a Prometheus does not take a monitor: its words', () => {
  const seen = snapshot({ apis: apis(), monitorRefused: { ...refused, kind: 'ServiceMonitor', name: 'shop' } });
  expect(monitored(seen)).toMatchObject({
    status: 'False',
    reason: 'MonitorRejected',
    message: 'Prometheus monitoring/k8s does not take ServiceMonitor shop: bad relabeling',
  });
});

test('what is not wanted any more is not complained about', () => {
  expect(monitored(snapshot({ apis: apis(), monitorRefused: refused })).reason).toBe('Monitored');
  const monitoring = { serviceMonitor: 'Disabled' };
  const seen = snapshot({
    app: app({ monitoring }),
    apis: apis(),
    monitorRefused: { ...refused, kind: 'ServiceMonitor' },
  });
  expect(monitored(seen).reason).toBe('Monitored');
});
