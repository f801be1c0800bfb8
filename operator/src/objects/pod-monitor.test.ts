import { expect, test } from '@jest/globals';
import { workerDeployment } from './deployment.ts';
import { podMonitor } from './pod-monitor.ts';
import { releaseOf } from './release.ts';
import { dashboard, devshelf } from './testing.ts';

test('the whole PodMonitor', () => {
  expect(podMonitor(devshelf({ monitoring: { labels: { release: 'prometheus' } } }))).toMatchObject({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PodMonitor',
    metadata: { name: 'devshelf-worker', namespace: 'shop', labels: { release: 'prometheus' } },
    spec: {
      selector: {
        matchLabels: {
          'app.kubernetes.io/name': 'devshelf',
          'app.kubernetes.io/instance': 'devshelf',
          'app.kubernetes.io/component': 'worker',
        },
      },
      podTargetLabels: ['devshelf.dev/release'],
      podMetricsEndpoints: [
        {
          port: 'http',
          path: '/metrics',
          interval: '30s',
          authorization: { type: 'Bearer', credentials: { name: 'devshelf-scrape-token', key: 'token' } },
          relabelings: [{ targetLabel: 'service', replacement: 'devshelf-worker' }],
        },
      ],
    },
  });
});

test('it selects the pods of the worker', () => {
  const app = devshelf();
  const { spec } = podMonitor(app) as unknown as { spec: { selector: { matchLabels: object } } };
  const worker = workerDeployment(app, releaseOf(app, {}, 'db'));
  expect(worker).toMatchObject({ spec: { template: { metadata: { labels: spec.selector.matchLabels } } } });
});

test.each([
  ['a dashboard', dashboard()],
  ['no queue', devshelf({ redis: undefined })],
  ['disabled', devshelf({ monitoring: { serviceMonitor: 'Disabled' } })],
])('none: %s', (_case, app) => {
  expect(podMonitor(app)).toBeUndefined();
});
