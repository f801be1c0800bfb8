import { expect, test } from '@jest/globals';
import { service } from './service.ts';
import { serviceMonitor } from './service-monitor.ts';
import { dashboard, dashboardMeta } from './testing.ts';

test('the whole ServiceMonitor', () => {
  expect(serviceMonitor(dashboard())).toStrictEqual({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: dashboardMeta('dashboard'),
    spec: {
      selector: {
        matchLabels: {
          'app.kubernetes.io/name': 'dashboard',
          'app.kubernetes.io/instance': 'dashboard',
          'app.kubernetes.io/component': 'server',
        },
      },
      podTargetLabels: ['devshelf.dev/release'],
      endpoints: [
        {
          port: 'http',
          path: '/metrics',
          interval: '30s',
          authorization: { type: 'Bearer', credentials: { name: 'dashboard-scrape-token', key: 'token' } },
        },
      ],
    },
  });
});

test('it selects the Service', () => {
  const monitor = serviceMonitor(dashboard()) as unknown as { spec: { selector: { matchLabels: object } } };
  expect(service(dashboard()).metadata.labels).toMatchObject(monitor.spec.selector.matchLabels);
});

test('labels by which Prometheus finds it never replace ours', () => {
  const labels = { release: 'prometheus', 'app.kubernetes.io/instance': 'other' };
  expect(serviceMonitor(dashboard({ monitoring: { labels } }))?.metadata.labels).toMatchObject({
    release: 'prometheus',
    'app.kubernetes.io/instance': 'dashboard',
  });
});

test('none when disabled', () => {
  expect(serviceMonitor(dashboard({ monitoring: { serviceMonitor: 'Disabled' } }))).toBeUndefined();
});
